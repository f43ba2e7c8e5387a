"""The parts below the verdicts: each figure of a card stands where it belongs, and is drawn to scale."""

import pytest
from msgspec.structs import replace

from stream.reference import Histogram, Reference
from stream.training.aims import Aim
from stream.training.card import Ahead, Lookbacks, Looked, Part, Tried
from stream.training.diagnosis import Point
from tests.consumers.page.reading import height, part, picture, rows, shown, titles, verdict

EMPTY = Histogram([], [0])


def test_where_nothing_else_was_tried_it_is_said(few):
    assert "no other was tried" in verdict(shown(few), "Beside the plain candidate").text


def test_the_data_are_told(text):
    data = part(shown(text), "Data")
    classes, left_out = data.all("table")
    assert [row[0] for row in rows(classes)] == ["ham", "spam"]
    assert [row[1:3] for row in rows(left_out)] == [["100", "3.3%"], ["300", "10.0%"]]
    assert "Left out: 400 rows, 13.3% of all that were read" in data.text


def test_who_sees_which_rows_is_drawn(text):
    drawn = picture(shown(text), "Which rows fit, choose and judge")
    assert "choice: rows 1 to 1,560 fit, rows 1,561 to 2,080 choose" in drawn.one("desc").text
    assert "judgement: rows 1 to 2,080 fit, rows 2,081 to 2,600 judge; baseline: rows 1 to 2,600 fit" in drawn.text
    spans = {
        use: [float(each.attributes["width"]) for each in drawn.all("rect", use)][-1] for use in ("choose", "judge")
    }
    assert spans["choose"] == pytest.approx(spans["judge"], abs=0.1)  # a fifth each


def test_a_window_is_drawn_as_the_rows_that_it_looks_back_to(text):
    drawn = picture(shown(replace(text, fitted=1_000)), "Which rows fit, choose and judge")
    assert "choice: rows 1 to 1,560 fit" in drawn.text  # the recipe was chosen by all rows
    assert "baseline: rows 1,601 to 2,600 fit" in drawn.text


def test_leaving_one_out_is_said_and_not_drawn(few):
    data = part(shown(few), "Data")
    assert "one row at a time is left out of 32 rows drawn, and the other 8 judge" in data.text
    assert all(svg.attributes.get("aria-hidden") for svg in data.all("svg"))


def test_candidates_are_listed_with_the_chosen_and_the_plain_one_marked(table):
    tried = [Tried(f"c{at}", 1_200, at / 1_000, at / 500, at / 100) for at in range(40)]
    found = part(shown(replace(table, tried=tried, chosen="c0", plain="c35")), "Candidates")
    first, others = found.all("table")
    assert rows(first)[0] == ["c0chosen", "1", "1,200", "0", "0", "0.0000"]
    assert rows(first)[12] == ["c12", "13", "1,200", "12", "24", "0.1200"]
    assert rows(first)[25] == ["c35plain", "36", "1,200", "35", "70", "0.3500"]
    assert found.one("details").one("summary").text == "14 more"
    assert [row[0] for row in rows(others)] == [f"c{at}" for at in range(25, 40) if at != 35]


def test_the_ways_to_look_back_are_listed_with_the_one_that_was_taken_first(table):
    tried = [Looked("since the last alarm", 812, 0.0612), Looked("all rows", 2_000, 0.25)]
    judged = [Ahead("all rows", Part((0.0, 0.8), (0.8, 0.9))), Ahead("newest 500", Part((0.65, 0.9), (0.9, 1.0)))]
    root = shown(replace(table, lookbacks=Lookbacks(300, tried, judged), chosen="logistic, C=10.0", fitted=812))
    found = part(root, "How far back")
    assert rows(found.one("table")) == [["since the last alarm", "812", "0.0612"], ["all rows", "2,000", "0.2500"]]
    assert "taken were: all rows, newest 500" in found.text
    assert "learned from the rows since the last alarm." in root.one("header").one("p", "recipe").text
    drawn = picture(root, "Which rows fit, choose and judge")
    assert "block 2: rows 1,301 to 1,800 fit, rows 1,801 to 2,000 judge; baseline: rows 1,189 to 2,000" in drawn.text


def test_where_there_was_no_choice_how_far_to_look_back_nothing_is_said_of_it(table):
    assert "How far back" not in shown(table).text


def test_the_learning_curve_has_its_points_where_the_card_says(table):
    points = [Point(100, 0.0, 0.4), Point(200, 0.1, 0.3), Point(400, 0.2, 0.2)]
    drawn = picture(shown(replace(table, learning_curve=points)), "Learning curve")
    marks = [(float(each.attributes["cx"]), float(each.attributes["cy"])) for each in drawn.all("circle")][:3]
    assert marks[1][0] - marks[0][0] == pytest.approx((marks[2][0] - marks[1][0]) / 2, abs=0.05)
    assert marks[1][1] - marks[0][1] == pytest.approx(marks[2][1] - marks[1][1], abs=0.05)
    assert [marks[0][1], marks[2][1]] == [height(drawn, "400"), height(drawn, "200")]
    assert "validation 400 at 100, 300 at 200, 200 at 400; train 0 at 100" in drawn.one("desc").text
    assert {"errors per 1,000 rows", "rows fitted on", "validation", "train"} <= {
        each.text for each in drawn.all("text")
    }


def test_early_stopping_is_drawn_with_where_it_was_least(table):
    root = shown(replace(table, stopping_curve=[0.7, 0.5, 0.4, 0.45]))
    assert "least at 3 trees" in part(root, "Curves").text
    assert "log loss, nats a row" in picture(root, "Early stopping").text


def test_the_elimination_names_the_columns_in_the_order_in_which_they_went(table):
    curves = part(shown(table), "Curves")
    assert picture(curves, "Elimination")
    assert [row[:2] for row in rows(curves)] == [[step.column, str(step.kept)] for step in table.elimination_curve]


def test_what_a_card_does_not_have_is_left_out(table):
    bare = replace(
        table, learning_curve=[], stopping_curve=[], elimination_curve=[], tried=[], packages={}, left_out={}
    )
    assert titles(shown(bare)) == ["Data", "Scores and answers", "Reference", "How it was made"]
    assert "Packages" not in shown(bare).text
    assert "Left out" not in shown(bare).text


def test_calibration_says_which_scores_are_used(table):
    for used, row in ((False, "as the model saysused"), (True, "behind a sigmoidused")):
        found = part(
            shown(replace(table, calibration=replace(table.calibration, used=used))),
            "Scores and answers",
        )
        assert [named for named, *_ in rows(found) if named.endswith("used")] == [row]
    assert picture(found, "Reliability: As the model says")
    assert picture(found, "Reliability: Behind a sigmoid")


@pytest.mark.parametrize(
    ("aim", "said", "unit"),
    [
        (Aim(), "each costs the same", "errors per 1,000 rows"),
        (Aim(1.0, 20.0), "a miss counts 1, a false alarm 0.05", "cost per 1,000 rows"),
        (Aim(4.0, 1.0), "a false alarm counts 1, a miss 0.25", "cost per 1,000 rows"),
        (Aim(alert_budget=0.05), "at most 5.0% of the rows are called so", "misses per 1,000 rows"),
    ],
)
def test_the_aim_and_the_unit_of_risks_are_told(text, aim, said, unit):
    root = shown(replace(text, aim=aim, threshold=0.25))
    scores = part(root, "Scores and answers")
    assert "The answer is spam where its score is 0.25 or more." in scores.text
    assert said in scores.text
    assert unit in picture(root, "Risk on the judged rows").text
    assert unit.split()[0] in verdict(root, "Risk").text


def test_of_many_classes_the_answer_is_the_likeliest(multiclass):
    root = shown(multiclass)
    assert "The answer is the likeliest class." in part(root, "Scores and answers").text
    assert [row[0] for row in rows(part(root, "Data"))] == ["low", "middle", "high"]
    assert "threshold" not in part(root, "Reference").text


def test_each_input_has_its_reference(multiclass):
    found = part(shown(multiclass), "Reference")
    assert "600 values from" in picture(found, "x").one("desc").text
    by_caption = {figure.one("figcaption").text: figure for figure in found.all("figure")}
    assert rows(by_caption["one"])[0][:3] == ["3", "600", "100.0%"]
    towns = by_caption["town, missing in 10.0%"]
    assert {row[0] for row in rows(towns)} == {"Oslo", "Bergen"}


def test_how_many_numbers_are_missing_is_told(table):
    reference = replace(table.reference, rows=2_000, missing={"x0": 50})
    captions = [caption.text for caption in shown(replace(table, reference=reference)).all("figcaption")]
    assert "x0, missing in 2.5%" in captions
    assert "x1" in captions


def test_a_histogram_has_bars_as_high_as_its_rows_are_many(table):
    edges = [float(edge) for edge in range(11)]
    counts = [0, 10, 10, 10, 10, 10, 30, 5, 5, 5, 5, 0]
    reference = Reference(100, EMPTY, {"x0": Histogram(edges, counts)}, {}, {})
    drawn = picture(shown(replace(table, reference=reference)), "x0")
    bars = list(drawn.all("rect", "bar"))
    heights = [float(bar.attributes["height"]) for bar in bars]
    assert bars[2].one("title").text.endswith(": 4.2%")  # 2.4 bars share the 10 rows in 100 of a bin
    assert heights[2] == pytest.approx((height(drawn, "0") - height(drawn, "10")) * 10 / 24, abs=0.05)
    assert heights[13] == pytest.approx(3 * heights[2], rel=0.01)
    assert heights[20] == pytest.approx(heights[2] / 2, rel=0.01)


def test_a_long_tail_is_cut_off_and_told(table):
    edges = [0.0, *(float(edge) for edge in range(1, 20)), 5_000.0]
    reference = Reference(210, EMPTY, {"x0": Histogram(edges, [0, *[10] * 20, 10])}, {}, {})
    found = part(shown(replace(table, reference=reference)), "Reference")
    assert "Not drawn: 9.5% lie above, up to 5,000." in found.text
    assert max(float(bar.attributes["width"]) for bar in picture(found, "x0").all("rect", "bar")) < 20


def test_all_that_is_needed_to_make_it_again_is_there(text):
    made = part(shown(text), "How it was made").text
    for said in (text.chosen, text.fingerprint, "Seed1", "numpy 2.0", "Clopper-Pearson"):
        assert said in made
