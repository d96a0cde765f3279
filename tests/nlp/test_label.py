"""Names of clusters: phrases of their own, in the workspace's language, and no person's; quotes and figures."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from nlp.issue_vectors import IssueEncoder, bare, piece_weights
from nlp.label import QUOTE, medoids, name_clusters, quote
from nlp.portrait import Answer, everyone, portrait
from nlp.words import is_stop, name_like, words

NOW = datetime(2026, 3, 31, tzinfo=UTC)
LATE = ["The parcel came late", "Late parcel again", "My parcel was very late", "A late parcel once more"]
RUDE = ["The consultant was rude", "Rude consultant", "What a rude consultant on the phone", "Rude consultant today"]
PACZKA = ["Paczka przyszła późno", "Spóźniona paczka", "Paczki wciąż spóźnione", "Znowu spóźniona paczka"]


def named(texts, languages, labels, language=None):
    return name_clusters(texts, languages, np.array(labels), np.ones(len(texts), np.float32), language)


def test_each_cluster_is_named_by_what_sets_it_apart():
    late, rude = named([*LATE, *RUDE], ["en"] * 8, [0] * 4 + [1] * 4)
    assert "parcel" in late.label.lower()
    assert "consultant" in rude.label.lower()
    assert late.label[0].isupper()


def test_no_phrase_names_two_clusters_and_none_repeats_a_word():
    names = named([*LATE, *LATE, *RUDE], ["en"] * 12, [0] * 4 + [1] * 4 + [2] * 4)
    phrases = [phrase for name in names for phrase in name.keywords]
    assert len(phrases) == len(set(phrases))
    for name in names:
        said = " ".join(name.keywords).split()
        assert len(said) == len(set(said))


def test_the_workspace_language_names_a_cluster_that_has_enough_of_it():
    texts, languages = [*LATE, *PACZKA], ["en"] * 4 + ["pl"] * 4
    assert named(texts, languages, [0] * 8, "pl")[0].language == "pl"
    assert "paczka" in named(texts, languages, [0] * 8, "pl")[0].label.lower()
    assert named(texts, languages, [0] * 8, "en")[0].language == "en"
    assert named(texts, languages, [0] * 8, "uk")[0].language == "en"  # of equals the first


def test_inflected_forms_are_counted_as_one_word():
    (name,) = named(PACZKA, ["pl"] * 4, [0] * 4)
    assert sum("paczk" in phrase or "paczce" in phrase for phrase in name.keywords) == 1


def test_neither_names_nor_placeholders_stand_in_a_label():
    texts = [f"The refund by {name} never came, says Kowalski to <PERSON>" for name in ("Kowalski", "Anna", "Anna")]
    (name,) = named([*texts, "A refund that Kowalski promised"], ["en"] * 4, [0] * 4)
    said = f"{name.label} {' '.join(name.keywords)}".lower()
    assert "refund" in said
    assert not any(hidden in said for hidden in ("kowalski", "anna", "person"))


def test_a_language_whose_verbatims_share_no_phrase_does_not_name_the_cluster():
    apart = ["Kurier zgubił wszystko", "Nikt nie odbiera telefonu", "Okropna pogoda dzisiaj"]
    texts, languages = [*apart, *LATE], ["pl"] * 3 + ["en"] * 4
    (name,) = named(texts, languages, [0] * 7, "pl")
    assert name.language == "en"
    assert "parcel" in name.label.lower()


def test_each_language_is_written_in_its_own_words():
    texts = [*LATE, "Plan zdrożał", "Drogi plan", "Nowy plan", "Gdzie mój plan", "Plan bez sensu", "Zły plan"]
    plans = ["Plans are dear", "The plans went up", "Those plans again"]
    names = named([*texts, *plans], ["en"] * 4 + ["pl"] * 6 + ["en"] * 3, [0] * 4 + [1] * 6 + [2] * 3, "pl")
    assert [name.language for name in names] == ["en", "pl", "en"]
    assert names[1].label == "Plan"


APART = [
    "Nurse found the vein at once",
    "Soup was cold",
    "Lift broken again",
    "Website crashed on Monday",
    "Tariff doubled without notice",
]


def test_verbatims_that_share_no_phrase_are_named_by_their_theme_each_theme_once():
    subjects = [["Staff attitude", "Waiting"], ["Staff attitude", "Waiting"], ["Waiting"]]
    texts = [*APART, *(text[::-1] for text in APART), "Blinds torn", "Kettle leaks"]
    labels = np.array([0] * 5 + [1] * 5 + [2] * 2)
    names = name_clusters(texts, ["en"] * 12, labels, np.ones(12, np.float32), subjects=subjects)
    assert [name.label for name in names[:2]] == ["Staff attitude", "Waiting"]
    assert names[2].label == "Blinds torn"


def test_no_name_is_given_that_is_reserved_or_given_already():
    texts = ["late courier", "late courier again", "courier was late", "torn blinds", "leaky kettle"]
    labels, strength = np.array([0, 0, 0, 1, 1]), np.ones(5, np.float32)

    def labels_of(*reserved):
        subjects = [["Delivery"], ["Quality"]]
        found = name_clusters(texts, ["en"] * 5, labels, strength, subjects=subjects, reserved=reserved)
        return [name.label for name in found]

    first = labels_of()
    assert first[1] == "Quality"
    second = labels_of(first[0].upper(), "quality")
    assert second == ["Delivery", "Leaky kettle"]
    third = labels_of(first[0], "Delivery", "Quality", "leaky kettle", "torn blinds", *texts[:3])
    assert third[1] == "Quality (2)" and third[0].casefold() not in {name.casefold() for name in (first[0], "Delivery")}
    assert labels_of("quality", "quality (2)", "leaky kettle", "torn blinds")[1] == "Quality (3)"


def test_what_has_nothing_to_say_has_a_name_of_its_own_too():
    names = name_clusters(["123", "456"], ["en"] * 2, np.array([0, 1]), np.ones(2, np.float32))
    assert [name.label for name in names] == ["…", "… (2)"]


def test_without_a_theme_the_most_central_verbatim_names_them_without_its_names():
    strength = np.array([0.3, 0.2, 0.2, 0.9, 0.1], np.float32)
    texts = [*APART[:3], "It was Kowalski, whose crooked lamp was never fixed by them", APART[4]]
    (name,) = name_clusters(texts, ["en"] * 5, np.zeros(5, np.int32), strength)
    assert "crooked lamp" in name.label
    assert "kowalski" not in name.label.lower()


def test_of_many_verbatims_two_that_share_a_word_do_not_name_them():
    odd = ["Grandma liked it", "Like my grandma made"]
    alike = [f"{sound * 2}{end}" for sound in ("ba", "do", "ki", "mu", "ze", "pa", "lo") for end in ("rt", "sk")]
    texts = [*odd, *alike]
    subjects = [["Product quality"]]
    labels = np.zeros(len(texts), np.int32)
    (name,) = name_clusters(texts, ["en"] * len(texts), labels, np.ones(len(texts), np.float32), subjects=subjects)
    assert name.label == "Product quality"


def test_words_that_stand_together_are_named_together():
    service = ["customer service is slow", "Customer service again", "worst customer service", "no customer service"]
    (name,) = named(service, ["en"] * 4, [0] * 4)
    assert name.keywords[0] == "customer service"
    assert "customer" not in name.keywords


def test_codes_of_places_are_names_and_other_capitals_are_not():
    texts = ["we flew from LHR to JFK", "stuck at LHR", "no SMS came", "an SMS at night", "the PIN was sent by SMS"]
    assert name_like(texts) == {"lhr", "jfk"}


def test_words_only_at_the_head_of_a_sentence_are_no_names():
    assert name_like(["Delivery late. Delivery bad", "we met Anna"]) == {"anna"}


@pytest.mark.parametrize(
    ("language", "silent", "telling"),
    [
        ("uk", "що це який", "доставка"),
        ("pl", "że nie jest", "dostawa"),
        ("ru", "что это", "доставка"),
        ("en", "the is", "parcel"),
    ],
)
def test_stop_words_of_every_language(language, silent, telling):
    assert all(is_stop(word, language) for word in words(silent, language))
    assert not is_stop(words(telling, language)[0], language)


def test_nothing_to_say_gives_a_name_all_the_same():
    assert named(["123", "!!!"], ["en", "en"], [0, 0])[0].label == "…"
    assert named([], [], []) == []


def test_medoids_are_near_the_centre_and_differ():
    points = np.array([[1, 0], [1, 0], [0.8, 0.6], [0, 1]], np.float32)
    assert medoids(points, points[0], ["Late!", "late", "parcel lost", "rude"], 2) == [0, 2]


def test_a_long_quote_is_cut_at_a_word():
    said = quote("word " * 100)
    assert len(said) <= QUOTE
    assert said.endswith("word…")
    assert quote("short") == "short"


def test_a_portrait_compares_members_with_the_rest():
    old = NOW - timedelta(days=40)
    answers = [
        Answer("pl", "negative", ("delivery.time",), 2, NOW, "app", "north"),
        Answer("uk", "negative", ("delivery.time", "price.level"), 4, NOW, "app"),
        Answer("pl", "positive", (), 9, old, "shop"),
        Answer("pl", "positive", (), None, NOW, None),
    ]
    found = portrait(answers[:2], everyone(answers, NOW), NOW)
    assert (found.size, found.mean_score, found.score_gap) == (2, 3, -6)
    assert found.languages == {"pl": 0.5, "uk": 0.5}
    assert found.themes == {"delivery.time": 1.0, "price.level": 0.5}
    assert found.units == {"north": 1.0}
    assert (found.first_seen, found.last_seen, found.trend) == (NOW, NOW, None)


def test_a_trend_is_the_share_of_all_answers_over_that_of_the_four_weeks_before():
    def on(days, count):
        return [Answer("en", answered_at=NOW - timedelta(days=days))] * count

    answers = [*on(1, 20), *on(40, 10), *on(1, 20), *on(40, 70)]
    assert portrait(answers[:30], everyone(answers, NOW), NOW).trend == pytest.approx((20 / 40) / (10 / 80))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("@shop where is it? https://x.example/a", "where is it?"),
        ("Call <PHONE> #late", "Call late"),
        ("@shop", "@shop"),
        ("me@mail", "me@mail"),
    ],
)
def test_what_says_whom_is_taken_out(text, left):
    assert bare(text) == left


def test_rare_pieces_weigh_more():
    weights = piece_weights([("the", -3.0), ("parcel", -10.0), ("zugzwang", -16.0)])
    assert (np.diff(weights) > 0).all()
    assert weights.min() > 0
    with pytest.raises(ValueError, match="together"):
        IssueEncoder(_Bare(), None, weights)


class _Bare:
    version, dimension = "bare-1", 4
