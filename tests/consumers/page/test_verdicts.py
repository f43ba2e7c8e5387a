"""The first screen: what the baseline is, and what speaks for it and against it."""

import pytest
from msgspec.structs import replace

from consumers.page.verdicts import verdicts
from stream.risk import Risk
from stream.training.aims import Aim
from stream.training.diagnosis import Reading
from tests.consumers.page.reading import picture, shown, verdict


def test_it_says_first_what_it_is(text):
    root = shown(replace(text, chosen="linear-svm, words, C=10.0"))
    header = root.one("header")
    assert header.one("h1").text == f"s baseline {text.version}"
    assert header.one("p", "recipe").text.startswith("Linear support vector machine; TF-IDF of words; C 10 (")
    assert "2,600 rows, 1970-01-01 00:00 to 1970-01-02 19:19 UTC" in header.text
    assert root.one("title").text == f"s, baseline {text.version}: model card"


def test_the_risk_stands_beside_its_interval_and_the_best_single_answer(table):
    card = replace(table, risk=Risk(0.042, 0.031, 0.056, 400, "Clopper-Pearson"), trivial_risk=0.29)
    said = verdict(shown(card), "Risk")
    assert "On the newest 400 rows" in said.text
    assert "42 errors per 1,000 rows (95% interval 31 to 56)" in said.text
    assert "the same for all rows has 290 errors per 1,000 rows: the whole interval lies below that" in said.text
    assert said.classes == ["for"]
    drawn = picture(shown(card), "Risk on the judged rows")
    assert {"42 (31 to 56)", "290", "errors per 1,000 rows"} <= {each.text for each in drawn.all("text")}


@pytest.mark.parametrize(("trivial", "mark"), [(0.2, "for"), (0.05, "weigh"), (0.042, "against"), (0.0, "weigh")])
def test_a_risk_that_is_not_told_from_one_answer_for_all_is_said(table, trivial, mark):
    card = replace(table, risk=Risk(0.042, 0.031, 0.056, 400, "Clopper-Pearson"), trivial_risk=trivial)
    assert verdict(shown(card), "Risk").classes == [mark]


@pytest.mark.parametrize(
    ("gap", "mark", "said"),
    [
        ((0.012, 0.003, 0.021), "for", "Told to be better, by 12 errors per 1,000 rows (95% interval 3 to 21)."),
        ((-0.012, -0.021, -0.003), "against", "Told to be worse, by 12 errors per 1,000 rows (95% interval 3 to 21)."),
        ((0.001, -0.003, 0.005), "weigh", "anything from 3 more to 5 less (95% interval)"),
    ],
)
def test_whether_it_is_told_to_be_better_than_the_plain_candidate_is_said(table, gap, mark, said):
    found = verdict(shown(replace(table, chosen="random-forest", against_plain=gap)), "Beside the plain candidate")
    assert found.classes == [mark]
    assert said in found.text


def test_the_plain_candidate_is_called_so(table):
    three = table.tried[:1] * 3
    found = verdict(shown(replace(table, chosen=table.plain, tried=three)), "Beside the plain candidate")
    assert found.classes == ["note"]
    assert "none of the others tried (2) was told to be better" in found.text


@pytest.mark.parametrize(("fit", "mark"), [("balanced", "for"), ("overfit", "weigh"), ("underfit", "weigh")])
def test_the_fit_is_read_with_its_reason(table, fit, mark):
    found = verdict(shown(replace(table, reading=Reading(fit, "because of this"))), "Fit")
    assert (found.classes, found.text) == (
        [mark],
        f"{'for it' if mark == 'for' else 'to weigh'}Fit. {fit.capitalize()}: because of this.",
    )


def test_too_few_judged_rows_for_absolute_rot_are_said(text, few):
    assert verdict(shown(text), "Absolute rot").classes == ["for"]
    assert "Only 8 rows were judged, and it takes 500" in verdict(shown(few), "Absolute rot").text


def test_a_leak_is_named_before_all_else_and_nothing_speaks_for_the_baseline(leak, table):
    root = shown(leak)
    alarm = root.one("p", "alarm")
    assert "The column refunded alone gives the label away" in alarm.text
    assert "against it: 1" in root.one("p", "sum").text.lower()
    assert "for it: 0" in root.one("p", "sum").text
    assert list(root.all("li", "for")) == []
    assert list(shown(table).all("p", "alarm")) == []


@pytest.mark.parametrize(
    ("flagged", "mark"), [((0.04, 0.02, 0.07), "for"), ((0.06, 0.04, 0.09), "weigh"), ((0.2, 0.17, 0.24), "against")]
)
def test_alerts_beyond_their_budget_speak_against_it(table, flagged, mark):
    card = replace(table, aim=Aim(alert_budget=0.05), flagged=Risk(*flagged, 600, "Clopper-Pearson"))
    said = verdict(shown(card), "Alerts")
    assert said.classes == [mark]
    assert f"{flagged[0]:.1%} were flagged" in said.text
    assert "the budget is 5.0%" in said.text


def test_what_was_trained_elsewhere_is_compared_with_nothing(table):
    card = replace(table, against_plain=None, reading=None, plain="", chosen="imported", tried=[], cut_short=False)
    titles = {one.title for one in verdicts(card)}
    assert titles == {"Risk", "Absolute rot"}
    assert "plain" not in shown(card).one("main").text


def test_a_difference_of_nothing_is_said_as_such(table):
    card = replace(table, chosen="another", against_plain=(0.0, 0.0, 0.0))
    assert "each judged row costs the same with either" in verdict(shown(card), "Beside the plain candidate").text
