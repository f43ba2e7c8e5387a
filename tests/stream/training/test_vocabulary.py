import numpy as np

from stream.training.vocabulary import BUCKETS, PLACES, TEXTS, found, places, vocabulary


def test_a_vocabulary_counts_a_word_once_a_text():
    made = vocabulary(["Win a prize! Win!", "a prize", ""])
    assert made.texts == 3
    assert made.words == {"a": 2, "prize": 2, "!": 1, "win": 1}
    assert sum(made.buckets) == 6


def test_words_that_training_had_are_seen_and_others_are_not():
    made = vocabulary(["win a prize"])
    seen = np.unpackbits(np.frombuffer(made.seen, dtype=np.uint8), count=PLACES)
    assert seen[places(found(["a prize win"]))].all()
    assert not seen[places(found(["noon"]))].any()


def test_the_share_of_new_words_is_foretold():
    chance = np.random.default_rng(1)
    texts = [" ".join(f"w{int(each)}" for each in chance.zipf(1.5, size=30) if each < 10**6) for _ in range(3_000)]
    made = vocabulary(texts[:2_000])
    seen = np.unpackbits(np.frombuffer(made.seen, dtype=np.uint8), count=PLACES).astype(bool)
    later = places(found(texts[2_000:]))
    assert abs(float((~seen[later]).mean()) - made.unseen) < 0.01


def test_only_the_newest_texts_are_read():
    made = vocabulary(["old"] * 10 + ["new"] * TEXTS)
    assert made.words == {"new": TEXTS}
    assert len(made.buckets) == BUCKETS


def test_without_texts_there_are_no_words():
    made = vocabulary([])
    assert (made.texts, made.words, sum(made.buckets), made.unseen) == (0, {}, 0, 0.0)
