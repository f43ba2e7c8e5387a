"""The page of a replay: each figure stands where it belongs, and what there is none of is said."""

from stream.chain import ChainTotals
from stream.config import Stream
from stream.drift.account import Accounted
from stream.drift.slices import Slice
from stream.drift.value import Realised
from stream.history import BINS
from stream.records import VERDICT
from stream.refitting import Refitted
from tests.consumers.page.outcomes import ALERTED, alarm, monitoring, page_of, point, scoring
from tests.consumers.page.reading import part, picture, rows, texts, titles

ERRORS = "Errors of both models, and the verdicts"
EVIDENCE = "Evidence of each detector"
FRAUD = Stream(kind="anomaly", classes=["no", "yes"])
SECTIONS = [
    "What came out",
    "Errors and verdicts",
    "Baseline against online model",
    "Evidence",
    "Drift of the inputs",
    "Scores",
    "How the verdict changed",
]


# ------------------------------------------------------------------------------------------- what came out


def test_it_says_first_what_came_out():
    first = part(page_of([point(100)], [alarm(150), alarm(160, VERDICT), alarm(170)]), "What came out")
    assert first.one("p", "alarm").text == "Verdict at the end: baseline_rot: it errs: retrain."
    for said in (
        "Events2,010, of which 2,000 were predicted",
        "Labelled2,000",
        "42 errors more per 1,000 than the online model (95% interval of the difference 31 to 56)",
        "Tolerated: 10 more",
        "Alarms2: paired 2",
        "Retrains0",
    ):
        assert said in first.text
    assert rows(first)[0] == ["served", "2,000", "120", "60", "0.2500", "0.0625"]
    assert [row[0] for row in rows(first)] == ["served", "online model", "baseline"]


def test_a_baseline_that_errs_less_is_not_said_to_err_more():
    seen = monitoring(verdict="healthy", excess={"deployed": (-0.02, -0.03, -0.01), "alarm": (0.001, -0.01, 0.02)})
    first = part(page_of([point(100)], totals=ChainTotals(scoring(), seen)), "What came out")
    assert "20 errors fewer per 1,000 than the online model (95% interval of the difference -30 to -10)" in first.text
    assert "1 error more per 1,000 than the online model (95% interval of the difference -10 to 20)" in first.text
    assert list(first.all("p", "alarm")) == []
    assert "healthy" in first.one("p", "calm").text


def test_of_rare_positives_the_monitor_counts_misses_and_no_part_speaks_of_errors():
    models = {model: dict(ALERTED) for model in ("online", "baseline", "served")}
    seen = monitoring(
        verdict="healthy",
        reason="as it should be",
        excess={"deployed": (0.02, 0.01, 0.03), "alarm": (0.001, -0.01, 0.02)},
        account=Accounted(slices=[Slice("country", "country = 'no'", 400, 0.2, 0.05, 0.05)]),
    )
    made = [point(100 * at, evidence={"paired": 0.1}) for at in range(1, 5)]
    root = page_of(made, [alarm(300)], settings=FRAUD, models=models, totals=ChainTotals(scoring(), seen))
    assert titles(root)[1:5] == ["Where it misses", "Misses and verdicts", SECTIONS[2], "Evidence"]
    assert "20 misses more per 1,000 than the online model" in root.text
    assert "in the 12,345 positives judged" in root.text
    assert "on average one false alarm in 10,000 positives" in root.text
    assert "one is missed where 1.0% of the others score as high" in root.text
    drawn = picture(root, "Misses of both models, and the verdicts")
    assert {"misses per 1,000 positives", "the baseline misses more"} <= set(texts(drawn))
    assert "misses more per 1,000 positives" in texts(picture(root, "How much more the baseline misses"))
    assert "err" not in root.text.replace("preferred", "")


def test_where_no_positive_was_judged_the_verdicts_stand_alone():
    made = [point(100, gap=None), point(200, "baseline_rot", gap=None)]
    found = part(page_of(made, settings=Stream(kind="anomaly", warm_up=100)), "Misses and verdicts")
    assert "No positives were judged." in found.text
    drawn = picture(found, "The verdicts")
    assert {"healthy (50.0% of the rows)", "baseline_rot (50.0% of the rows)", "row"} <= set(texts(drawn))
    assert not list(drawn.all("polyline"))


def test_of_rare_positives_it_says_what_the_alerts_found_and_nothing_of_errors():
    models = {model: dict(ALERTED) for model in ("online", "baseline", "served")}
    first = part(page_of(settings=FRAUD, models=models), "What came out")
    assert [head.text for head in first.one("thead").all("th")][2:] == [
        "alerted", "positives found", "precision", "average precision", "ROC AUC",
    ]  # fmt: skip
    assert rows(first)[0][2:] == ["50", "10 of 40 (25.0%)", "0.2000", "0.7500", "0.8750"]
    models["online"]["card_precision"] = 0.125
    with_cards = part(page_of(settings=FRAUD, models=models), "What came out")
    assert [row[-1] for row in rows(with_cards)] == ["-", "0.1250", "-"]


def segment(first, recall=0.25, **words):
    figures = {**ALERTED, "recall": recall}
    return {"first": first, "labelled": 700, **words, **{m: dict(figures) for m in ("online", "baseline", "served")}}


def test_what_alerts_found_is_shown_by_segments():
    parts = [segment(100, 0.5, begin=0.0, end=7 * 86_400.0), segment(900, None, begin=7 * 86_400.0, end=14 * 86_400.0)]
    found = part(page_of([point(100)], settings=FRAUD, models={}, segments=parts), "Alerts")
    assert [svg.one("title").text for svg in found.all("svg") if svg.attributes.get("role")] == [
        "Average precision", "Positives found",
    ]  # fmt: skip
    assert "online 0.5" in picture(found, "Positives found").one("desc").text
    assert [row[:3] for row in rows(found)] == [["1970-01-01 00:00", "700", "40"], ["1970-01-08 00:00", "700", "40"]]
    assert [row[0] for row in rows(part(page_of(settings=FRAUD, models={}, segments=[segment(100)]), "Alerts"))] == [
        "row 100"
    ]


def test_there_are_no_alerts_of_other_streams_or_without_segments():
    assert "Alerts" not in titles(page_of([point(100)], settings=FRAUD, models={}))
    assert "Alerts" not in titles(page_of([point(100)], segments=[segment(100)]))


def test_retrains_are_told_with_when():
    retrains = [Refitted(labelled, 600, f"b{labelled}") for labelled in range(100, 800, 100)]
    root = page_of([point(200), point(400), point(800)], retrains=retrains)
    first = part(root, "What came out")
    assert "Retrains7, at about row 200, 300, 400, 500, 600 and 2 later" in first.text
    assert rows(first.one("details"))[1] == ["200", "about 300", "600", "b200"]
    assert "retrains: 7" in texts(picture(root, ERRORS))
    assert len(list(picture(root, ERRORS).all("polygon", "retrain"))) == 7


def test_what_the_last_retrain_brought_is_told():
    brought = Realised(0.05, (0.04, 0.025, 0.055), (0.01, 0.0, 0.02), "yes", "expected 50 and saved 40")
    root = page_of(totals=ChainTotals(scoring(), monitoring(retrained=brought)))
    assert "The last retrainexpected 50 and saved 40" in part(root, "What came out").text


def test_all_retrains_are_counted_and_the_first_fifty_listed():
    first = part(page_of(retrains=[Refitted(1, 2, "b")] * 53), "What came out")
    assert len(rows(first.one("details"))) == 50
    assert "And 3 more" in first.text


# ------------------------------------------------------------------------------------------- what there is none of


def test_without_a_monitor_what_came_out_is_all_that_is_told():
    root = page_of(totals=ChainTotals(scoring(), None), history=None)
    assert titles(root) == ["What came out", "Over the stream"]
    assert "no monitor" in part(root, "Over the stream").text
    assert "no verdict" in part(root, "What came out").text


def test_with_fewer_labels_than_a_point_takes_it_says_so():
    root = page_of([])
    assert "fewer labelled events than the 100" in part(root, "Over the stream").text
    assert list(root.all("svg")) == []


def test_without_a_baseline_the_online_model_is_drawn_alone():
    bare = {"version": None, "verdict": "no_baseline", "gap": None, "evidence": {"paired": 0.0}, "distances": {}}
    made = [point(at, errors={"online": 0.1}, scores={"online": [1] * BINS}, **bare) for at in (100, 200)]
    seen = monitoring(verdict="no_baseline", excess={}, alarms={})
    root = page_of(made, totals=ChainTotals(scoring(version=None, models=("online", "served")), seen))
    assert titles(root) == [title for title in SECTIONS if title not in ("Evidence", "Drift of the inputs")]
    assert "No baseline was compared" in part(root, "Baseline against online model").one("p").text
    assert [row[0] for row in rows(part(root, "What came out"))] == ["served", "online model"]
    legend = texts(picture(root, ERRORS))
    assert "online model" in legend
    assert "baseline" not in legend


def test_no_labelled_event_is_no_division_by_nothing():
    root = page_of(totals=ChainTotals(scoring(0), monitoring(excess={}, verdict="blind")), models={})
    assert "No predicted event was labelled." in part(root, "What came out").text


# ------------------------------------------------------------------------------------------- the verdict's history


def test_the_verdicts_are_listed_with_what_they_are_by():
    alarms = [alarm(7_000, "paired", "outgrown", "more <b>"), alarm(8_000, VERDICT, "healthy", "")]
    found = part(page_of([point(100)], alarms), "How the verdict changed")
    assert rows(found) == [
        ["7,000", "outgrown", "alarm: paired", "more <b>"],
        ["8,000", "healthy", "no alarm", ""],
    ]
    assert [span.classes[1] for span in found.all("span", "turn")] == ["weigh", "for"]


def test_fifty_are_listed_and_the_others_counted():
    found = part(page_of([], [alarm(at) for at in range(75)]), "How the verdict changed")
    assert len(rows(found)) == 50
    assert "And 25 more" in found.text


def test_a_verdict_that_did_not_change_is_said():
    seen = monitoring(verdict="healthy")
    found = part(page_of(totals=ChainTotals(scoring(), seen)), "How the verdict changed")
    assert found.one("p").text == "It did not: it was healthy, and there was no alarm."


def test_all_parts_are_there_in_order_and_every_plot_is_told_in_words():
    root = page_of([point(100), point(200)], [alarm(150)])
    assert titles(root) == SECTIONS
    assert root.one("title").text == "s: replay"
    assert "baseline: 100 at first" in picture(root, ERRORS).one("desc").text
    assert "paired: 0.01 at first" in picture(root, EVIDENCE).one("desc").text


def test_the_slices_with_the_greatest_gap_are_listed_where_there_are_any():
    bad = [
        Slice("country", "country is 'se' & <b>", 1_200, 0.345, 0.081, 0.2),
        Slice("x", "x is missing", 30, 0.5, 0, 0.1),
    ]
    page = page_of([point(100)], totals=ChainTotals(scoring(), monitoring(account=Accounted(slices=bad))))
    assert rows(part(page, "Where it errs")) == [
        ["country is 'se' & <b>", "1,200", "345", "81"],
        ["x is missing", "30", "500", "0"],
    ]
    assert "Where it errs" not in page_of([point(100)]).text
