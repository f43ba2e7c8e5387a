from stream.drift.text import TOP, moved
from stream.heavy import Heavy, heavy
from stream.training.vocabulary import vocabulary


def test_the_words_that_moved_most_come_first():
    known = vocabulary(["prize draw", "draw", "noon", "noon"] * 25)
    words = moved(known, heavy(["prize"] * 50 + ["draw"] * 10), 50)
    assert [(each.word, each.reference, each.present) for each in words] == [
        ("prize", 0.25, 1.0),
        ("noon", 0.5, 0.0),
        ("draw", 0.5, 0.2),
    ]


def test_at_most_so_many_words_are_named():
    assert len(moved(vocabulary(["a b c d e f g h i"] * 9), heavy("z"), 100)) == TOP


def test_a_word_that_the_sketch_may_have_shed_has_not_moved():
    known = vocabulary(["rare"] + ["common"] * 9)
    assert moved(known, Heavy({"common": 90}, 1_000, 10), 100) == []


def test_without_texts_nothing_moved():
    assert moved(vocabulary([]), heavy(["a"]), 1) == []
    assert moved(vocabulary(["a"]), Heavy(), 0) == []
