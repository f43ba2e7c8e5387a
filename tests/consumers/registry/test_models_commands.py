"""``rotwatch models``, from its words to what it prints and changes."""

from pathlib import Path

import pytest
from msgspec.structs import replace

CONFIG = """
[streams.shop]
classes = ["no", "yes"]
features.numeric = ["x0", "x1", "x2", "x3", "x4", "x5"]

[streams.other]
classes = ["no", "yes"]
features.numeric = ["x0"]

[registry]
uri = "sqlite:///registry.sqlite"
"""


@pytest.fixture
def models(rotwatch, shelf, monkeypatch):
    """The command, over a registry with three versions of a stream: the first is champion, the second challenger."""
    registry, made, card = shelf.open(), shelf.made, shelf.made.card
    registry.add("shop", made.artifact, replace(card, first=1.6e9, last=1.7e9))
    registry.add("shop", made.artifact, replace(card, leaks=["x5"], kept=["[red]x0[/red]"], absolute=True))
    registry.promote("shop", 1, None)
    registry.add("shop", made.artifact, replace(card, aim=replace(card.aim, alert_budget=0.02)))
    registry.challenge("shop", 2)
    registry.add("other", made.artifact, card)
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setenv("ROTWATCH_CONFIG", "rotwatch.toml")
    Path("rotwatch.toml").write_text(CONFIG)
    return lambda *words, stream="shop": rotwatch("models", *words, "--stream", stream)


def cells(out):
    """The cells of a printed table, by line."""
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in out.splitlines() if line.startswith("│")]


def test_the_list_shows_the_newest_first_and_what_is_in_use(models, tmp_path):
    code, out, err = models("list")
    assert (code, err) == (0, "")
    rows = cells(out)
    assert [row[:2] for row in rows] == [["3", ""], ["2", "challenger"], ["1", "champion"]]
    assert rows[2][4] == "2020-09-13 12:26Z to 2023-11-14 22:13Z"
    assert [row[-1] for row in rows] == ["1", "-", "-"]
    assert rows[0][2].startswith("baseline-")
    assert f"3 versions of shop in sqlite:///{tmp_path}/registry.sqlite" in out
    code, out, _ = models("list", stream="spam")
    assert (code, cells(out)) == (0, [])
    assert "0 versions of spam" in out


def test_the_card_of_the_champion_is_shown_unless_another_is_named(models, made):
    code, out, _ = models("show")
    assert code == 0
    lines = {row[0]: row[1] for row in cells(out)}
    risk = made.card.risk
    assert lines["version"] == made.card.version
    assert lines["in use"] == "champion"
    assert lines["recipe"] == made.card.chosen
    assert lines["risk per 1,000"].startswith(
        f"{1000 * risk.mean:.1f} ({1000 * risk.low:.1f} to {1000 * risk.high:.1f})"
    )
    assert lines["trained on"].startswith("600 rows, 2020-09-13 12:26Z to 2023-11-14 22:13Z")
    assert lines["left out"] == "3 no label"
    assert lines["leaks"] == "none"
    assert lines["fit"].startswith(made.card.reading.fit)
    assert lines["for absolute rot"] == "too few rows judged"
    assert lines["packages"] == "scikit-learn x"
    lines = {row[0]: row[1] for row in cells(models("show", 3)[1])}
    assert "within alerts on 2.0% of the events" in lines["threshold"]


def test_two_cards_are_shown_side_by_side_with_names_as_they_are(models):
    code, out, _ = models("compare", 1, 2)
    assert code == 0
    rows = {row[0]: row[1:] for row in cells(out)}
    assert rows["in use"] == ["champion", "challenger"]
    assert rows["leaks"] == ["none", "x5"]
    assert rows["columns"][1] == "[red]x0[/red]"
    assert rows["for absolute rot"] == ["too few rows judged", "enough rows judged"]
    assert "judged on rows of its own" in out


def test_a_version_is_promoted_and_rolled_back(models):
    code, out, _ = models("promote", 2)
    assert code == 0
    assert "shop version 2 (baseline-" in out
    assert "is the champion, over version 1." in out
    assert [row[1] for row in cells(models("list")[1])] == ["", "champion", ""]
    code, out, _ = models("rollback")
    assert code == 0
    assert "is the champion again, instead of version 2." in out
    assert [row[1] for row in cells(models("list")[1])] == ["", "", "champion"]
    code, _, err = models("rollback")
    assert code == 2
    assert "no champion before version 1" in err


def test_a_rollback_to_what_is_not_for_the_stream_as_it_is_now_is_refused(models):
    models("promote", 2)
    settings = Path("rotwatch.toml")
    settings.write_text(settings.read_text().replace('"x0", "x1", ', '"x1", '))
    before = models("list")[1]
    code, out, err = models("rollback")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "shop version 1 (baseline-" in err
    assert "its numbers are x0, x1, x2, x3, x4, x5, the stream has x1, x2, x3, x4, x5" in err
    assert models("list")[1] == before


def test_the_challenger_is_dropped(models):
    code, out, _ = models("drop")
    assert (code, "is no challenger any more" in out) == (0, True)
    assert [row[1] for row in cells(models("list")[1])] == ["", "", "champion"]
    assert models("drop")[1] == "shop had no challenger.\n"


@pytest.mark.parametrize(
    ("words", "stream", "said"),
    [
        (("promote", 2, "--over", 3), "shop", "decided with version 3 as champion of shop, and now version 1 is"),
        (("rollback", "--over", 3), "shop", "decided with version 3 as champion of shop, and now version 1 is"),
        (("promote", 9), "shop", "shop has no version 9"),
        (("show", 9), "shop", "shop has no version 9"),
        (("compare", 1, 9), "shop", "shop has no version 9"),
        (("promote", 1), "other", "its numbers are x0, x1, x2, x3, x4, x5, the stream has x0"),
        (("show", 10**20), "shop", f"shop has no version {10**20}"),
        (("show",), "other", "a stream with a champion: it has none"),
        (("rollback",), "other", "a stream with a champion: it has none"),
        (("list",), "nobody", "setting --stream = 'nobody': must be one of"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_2_and_changes_nothing(models, words, stream, said):
    before = models("list")[1]
    code, out, err = models(*words, stream=stream)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert models("list")[1] == before


def test_without_a_registry_the_commands_say_how_one_is_made(models, tmp_path):
    Path("registry.sqlite").unlink()
    for words in (("list",), ("show", 1), ("promote", 1), ("rollback",), ("drop",)):
        code, out, err = models(*words)
        assert (code, out) == (2, "")
        assert "there is none: rotwatch train makes it" in err
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "registry.sqlite.lock",
        "rotwatch.toml",
    ]
