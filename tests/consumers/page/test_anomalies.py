"""The card of a baseline of an anomaly stream: what it was chosen by, and a risk of positives alone."""

from msgspec.structs import replace

from stream.risk import Risk
from tests.consumers.page.reading import part, rows, shown, titles, verdict


def test_the_average_precision_of_every_candidate_is_shown(fraud):
    found = part(shown(fraud), "Candidates")
    assert "by average precision, the best of them" in found.text
    shown_rows = [row for row in rows(found) if len(row) == 4]
    assert len(shown_rows) >= len(fraud.tried) > 3
    assert any(row[-1] == f"{fraud.tried[0].average_precision:.4f}" for row in shown_rows)
    assert verdict(shown(fraud), "Choice").text.endswith("By average precision on the rows that choose.")


def test_where_stability_chose_it_is_said_with_what_that_is_worth(unlabelled):
    root = shown(unlabelled)
    assert "stable does not say that it finds any" in verdict(root, "Choice").text
    assert f"{1 - unlabelled.tried[0].validation_risk:.4f}" in part(root, "Candidates").text
    assert "without a label" in part(root, "Data").text


def test_a_risk_that_is_not_known_is_no_picture_and_speaks_for_nothing(unlabelled):
    root = shown(unlabelled)
    found = verdict(root, "Risk")
    assert found.classes == ["weigh"]
    assert "Not known: the newest 500 rows, by which nothing was chosen, hold no positive" in found.text
    assert "Risk on the judged rows" not in [
        svg.one("title").text for svg in root.all("svg") if svg.attributes.get("role")
    ]
    assert "it takes 100" in verdict(root, "Absolute rot").text


def test_the_risk_is_of_positives(fraud):
    card = replace(fraud, risk=Risk(0.2, 0.13, 0.29, 120, "Clopper-Pearson"), absolute=True)
    root = shown(card)
    said = verdict(root, "Risk")
    assert "On 120 positives among the newest 500 rows" in said.text
    assert "200 misses per 1,000 positives (95% interval 130 to 290)" in said.text
    assert "one is missed where 1.0% of the others score as high" in said.text
    assert said.classes == ["for"]
    assert "120 positives were judged: enough" in verdict(root, "Absolute rot").text


def test_there_is_no_calibration_and_no_curve_of_learning(fraud):
    root = shown(fraud)
    assert "Curves" not in titles(root)
    assert "Calibration" not in part(root, "Scores and answers").text
