"""The plots over a replay's stream are drawn to scale, and told in words."""

import pytest
from msgspec.structs import replace

from consumers.page.timeline import Timeline
from stream.chain import ChainTotals
from stream.config import Monitor, Stream
from stream.history import BINS
from stream.records import VERDICT
from tests.consumers.page.outcomes import alarm, monitoring, page_of, point, scoring
from tests.consumers.page.reading import height, part, picture, places, rows, texts

ERRORS, GAP = "Errors of both models, and the verdicts", "How much more the baseline errs"
EVIDENCE = "Evidence of each detector"


# ------------------------------------------------------------------------------------------- errors and verdicts


def test_errors_are_drawn_to_scale():
    made = [point(100 * at, errors={"baseline": 0.02 * at, "online": 0.1}) for at in range(1, 11)]
    drawn = picture(page_of(made), ERRORS)
    online, baseline = (places(next(drawn.all("polyline", look))) for look in ("first", "second"))
    assert [y for _, y in online] == [pytest.approx(height(drawn, "100"), abs=0.1)] * 10
    assert baseline[-1][1] == pytest.approx(height(drawn, "200"), abs=0.1)
    assert baseline[-1][0] == 800  # the right end
    assert "errors per 1,000 labelled events" in texts(drawn)


def test_the_gap_between_both_is_shaded_by_who_errs_more():
    made = [point(100 * at, errors={"baseline": error, "online": 0.2}) for at, error in enumerate([0.1, 0.1, 0.4], 1)]
    drawn = picture(page_of(made), ERRORS)
    baseline, online = (places(next(drawn.all("polygon", look))) for look in ("second", "first"))
    level, most, least = (pytest.approx(height(drawn, label), abs=0.1) for label in ("200", "400", "100"))
    assert [y for _, y in baseline] == [level, level, most, level, level, level]
    assert [y for _, y in online] == [level, level, most, most, least, least]


def test_another_baseline_begins_another_line():
    made = [point(100 * at, version=f"b{at // 3}") for at in range(1, 7)]
    lines = [places(line) for line in picture(page_of(made), ERRORS).all("polyline", "second")]
    assert [len(line) for line in lines] == [2, 3, 1]


def test_each_verdict_has_a_line_with_its_name_and_bars_where_it_was_in_force():
    made = [point(100, "healthy"), point(300, "baseline_rot"), point(400, "healthy")]
    drawn = picture(page_of(made), ERRORS)
    assert {"healthy (50.0% of the rows)", "baseline_rot (50.0% of the rows)"} <= set(texts(drawn))
    track = next(drawn.all("rect", "track")).attributes
    [bar] = list(drawn.all("rect", "against"))
    assert float(bar.attributes["width"]) == pytest.approx(float(track["width"]) / 2, abs=0.1)
    assert bar.one("title").text == "baseline_rot: rows 200 to 400"
    assert [each.one("title").text for each in drawn.all("rect", "for")] == [
        "healthy: rows 100 to 200",
        "healthy: rows 400 to 500",
    ]


def test_alarms_are_marked_and_those_in_one_place_share_a_mark():
    alarms = [alarm(200), alarm(201), alarm(202), alarm(900), alarm(500, VERDICT)]
    drawn = picture(page_of([point(100), point(10_000)], alarms), ERRORS)
    marks = [mark for mark in drawn.all("polygon", "alarm") if list(mark.all("title"))]
    assert [mark.one("title").text for mark in marks] == [
        "alarm of paired at row 200: baseline_rot; and 2 more nearby",
        "alarm of paired at row 900: baseline_rot",
    ]
    assert "alarms: 4" in texts(drawn)


def test_a_label_out_of_order_does_not_lead_back():
    made = Timeline(100, [point(50), replace(point(75), position=-1), point(100)])
    assert made.rows == [150, 150, 200]
    assert [made.row(labelled) for labelled in (0, 25, 50, 75, 100, 900)] == [100, 125, 150, 150, 200, 200]


# ------------------------------------------------------------------------------------------- gap and evidence


def test_the_gap_stands_beside_its_interval_and_what_is_tolerated():
    made = [point(100 * at, gap=(0.02, 0.0, 0.04)) for at in range(1, 11)]
    settings = Stream(warm_up=100, monitor=Monitor(tolerate_extra_errors_per_1000=20.0))
    drawn = picture(page_of(made, settings=settings), GAP)
    level, most, zero = (pytest.approx(height(drawn, label), abs=0.1) for label in ("20", "40", "0"))
    assert [y for _, y in places(next(drawn.all("polyline", "solid")))] == [level] * 10
    assert [y for _, y in places([*drawn.all("polyline", "limit")][-1])] == [level, level]
    assert [y for _, y in places(next(drawn.all("polygon", "area")))] == [most] * 10 + [zero] * 10
    assert {"tolerated: 20", "95% interval", "errors more per 1,000 labelled events"} <= set(texts(drawn))


def test_intervals_of_the_first_events_do_not_dwarf_the_rest():
    made = [point(25, gap=(0.0, -1.0, 1.0)), *(point(100 * at, gap=(0.02, 0.01, 0.03)) for at in range(1, 60))]
    drawn = picture(page_of(made), GAP)
    assert height(drawn, "0") - height(drawn, "20") > 50


def test_evidence_is_drawn_by_powers_of_ten_with_its_threshold_and_alarms():
    levels = {"paired": 0.01, "reverse": 0.0, "absolute_baseline": 1.0}
    made = [point(100, evidence=levels), point(200, evidence=levels)]
    drawn = picture(page_of(made, [alarm(150), alarm(160, "adwin")]), EVIDENCE)
    paired, baseline = (places(line) for line in drawn.all("polyline", "thin"))
    threshold = [places(line) for line in drawn.all("polyline", "limit")]
    assert paired[0][1] == pytest.approx(height(drawn, "0.01"), abs=0.1)
    assert threshold[0][0][1] == pytest.approx(height(drawn, "1"), abs=0.1)
    assert baseline[0][1] == threshold[1][0][1]
    steps = height(drawn, "0.01") - height(drawn, "0.1"), height(drawn, "0.1") - height(drawn, "1")
    assert steps[0] == pytest.approx(steps[1], abs=0.1)
    assert [mark.one("title").text for mark in drawn.all("polygon", "alarm") if [*mark.all("title")]] == [
        "alarm of paired at row 150: baseline_rot"
    ]


def test_a_detector_that_is_off_is_named_with_its_reason():
    seen = monitoring(off={"absolute_online": "no reference"})
    root = page_of([point(100)], totals=ChainTotals(scoring(), seen))
    assert "absolute_online did not run at the end: no reference." in part(root, "Evidence").text


# ------------------------------------------------------------------------------------------- inputs and scores


def test_columns_are_listed_the_farthest_first_and_drift_stands_out_by_height():
    distances = [{"number:x": 0.1, "score:score": 0.3}, {"number:x": 0.1, "score:score": 2.5}, {"number:x": 0.1}]
    made = [point(100 * at, distances=each) for at, each in enumerate(distances, 1)]
    drift = part(page_of(made), "Drift of the inputs")
    assert rows(drift) == [["score", "", "2.5 row 300"], ["x number", "", "0.10 row 200"], ["row", "100250400", ""]]
    score, x = drift.all("svg", "strip")
    shown = [(rect.classes, rect.attributes["width"], rect.attributes["height"]) for rect in score.all("rect")]
    assert shown == [(["heat-1"], "333.33", "6"), (["heat-5"], "333.33", "10")]
    assert len(list(x.all("rect"))) == 1  # neighbours of one colour are one
    assert "1 of 2 columns were that far at some time" in drift.text


def test_of_many_columns_forty_are_shown():
    distances = {f"number:x{at}": at / 100 for at in range(100)}
    drift = part(page_of([point(100, distances=distances)]), "Drift of the inputs")
    assert len(list(drift.all("svg", "strip"))) == 40
    assert rows(drift)[0][0] == "x99 number"
    assert "the 40 that were farthest, of 100" in drift.text


def test_the_legend_tells_each_colour_in_words():
    legend = part(page_of([point(100)]), "Drift of the inputs").one("p", "legend")
    assert [each.text for each in legend.all("span")] == [
        "below 0.25", "from 0.25", "from 0.5", "from 0.75", "from 1 (matters)", "from 2", "from 4",
    ]  # fmt: skip
    assert [next(swatch.all("rect")).classes for swatch in legend.all("svg")] == [[f"heat-{at}"] for at in range(7)]


def test_scores_are_shown_from_beginning_to_end_to_one_scale():
    even, low, high = [1] * BINS, [4, *[0] * (BINS - 1)], [*[0] * (BINS - 1), 1]
    found = [(even, even), (low, low), (low, high), (low, high)]
    made = [
        point(100 * at, scores=dict(zip(("baseline", "online"), found[(at - 1) // 2], strict=True)))
        for at in range(1, 9)
    ]
    scores = part(page_of(made), "Scores")
    assert [figure.one("figcaption").text for figure in scores.all("figure")] == [
        "Rows 100 to 300", "Rows 301 to 500", "Rows 501 to 700", "Rows 701 to 900",
    ]  # fmt: skip
    first, last = picture(scores, "Scores, rows 100 to 300"), picture(scores, "Scores, rows 701 to 900")
    assert "baseline: 25.0% below 0.25, 25.0% of 0.75 and above" in first.one("desc").text
    assert "online: 0.0% below 0.25, 100.0% of 0.75 and above" in last.one("desc").text
    assert height(first, "100") == height(last, "100")
    assert places(next(last.all("polyline")))[-1][1] == pytest.approx(height(last, "100"), abs=0.1)
    assert "score of 'spam'" in texts(first)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Stream(kind="multiclass", classes=["a", "b", "c"]), "score of the likeliest class"),
        (Stream(classes=[]), "score"),
    ],
)
def test_what_a_score_is_of_is_said(settings, said):
    assert said in texts(part(page_of([point(100)], settings=settings), "Scores"))
