"""Points of a replay: the same in any batches, never too many."""

import pytest

from stream import history
from stream.history import FIRST, History
from stream.records import Labelled
from tests.stream.test_judging import Stand


def told(events=3_000, step=250):
    stand, made = Stand(), History()
    records = []
    for _ in range(0, events, 100):
        records.append(stand.profile())
        records += [stand.label(stand.sent + at, 0.2 if stand.sent > 1_500 else 0.04, 0.04) for at in range(100)]
        stand.sent += 100
    for begin in range(0, len(records), step):
        batch, at = records[begin : begin + step], 0
        for end, due in made.pieces(batch):
            stand.feed(batch[at:end])
            at = end
            if due:
                made.look(stand.monitor)
        assert at == len(batch)
    return made, [record for record in records if isinstance(record, Labelled)]


def test_there_is_a_point_every_so_many_labelled_records_whatever_the_batches():
    (one, records), (other, _) = told(step=250), told(step=77)
    assert one == other
    assert [point.labelled for point in one.points] == list(range(FIRST, len(records) + 1, FIRST))
    assert [point.position for point in one.points] == [point.labelled - 1 for point in one.points]
    assert one.points[-1].verdict == "baseline_rot"
    assert one.points[-1].gap[0] > 0.05
    assert max(point.evidence["paired"] for point in one.points) > 0.01
    assert sum(sum(point.scores["online"]) for point in one.points) == len(records)


def test_of_a_long_stream_neighbouring_points_become_one_that_keeps_the_greatest(monkeypatch):
    whole, records = told()
    monkeypatch.setattr(history, "MOST", 10)
    thinned, _ = told()
    assert len(thinned.points) < 10
    assert thinned.every == FIRST * 4
    ends = [point.labelled for point in thinned.points]
    assert ends == list(range(thinned.every, len(records) + 1, thinned.every))
    for at, point in enumerate(thinned.points):
        inside = whole.points[4 * at : 4 * at + 4]
        seen = [each.evidence["paired"] for each in inside]
        assert seen[-1] <= point.evidence["paired"] <= max(seen)
        for name, distance in point.distances.items():
            far = [each.distances[name] for each in inside]
            assert far[-1] <= distance <= max(far)
        assert (point.errors, point.verdict, point.gap) == (inside[-1].errors, inside[-1].verdict, inside[-1].gap)
        assert point.scores == {"baseline": [0] * 10 + [400] + [0] * 9, "online": [0] * 10 + [400] + [0] * 9}
    first = [each.evidence["paired"] for each in whole.points[:4]]
    assert thinned.points[0].evidence["paired"] == max(first)  # all were looked at before there were too many


@pytest.mark.parametrize("score", [0.0, 1.0, [0.1, 0.9], 7.0])
def test_every_score_has_a_bin(score):
    made = History()
    record = Stand().label(0, 0.0, 0.0)
    changed = Labelled(**{name: getattr(record, name) for name in record.__struct_fields__} | {"online": score})
    assert list(made.pieces([changed])) == [(1, False)]
    assert sum(made.scores["online"]) == 1
