"""What a model of one's own takes over from the shipped one, and what it keeps."""

import numpy as np
import pytest

from nlp.heads import Calibration, Heads, HeadWeights
from nlp.types import MOODS, SIGNALS
from training.dataset import targets
from training.inherit import CALIBRATED, TASKS, inherited, inherited_calibration, teaching, unlabelled, with_themes

WIDTH, HIDDEN = 6, 5
OWN, BASE = ("a", "b"), ("b", "c", "d")


def weights(themes: int, seed: int) -> HeadWeights:
    rng = np.random.default_rng(seed)
    labels = themes + len(SIGNALS) + 1
    shapes = {
        "query": (labels + 1, WIDTH),
        "weight": (labels, WIDTH),
        "bias": (labels,),
        "sentiment_weight": (len(MOODS), WIDTH),
        "sentiment_bias": (len(MOODS),),
        "mood_in_weight": (HIDDEN, WIDTH),
        "mood_in_bias": (HIDDEN,),
        "mood_out_weight": (len(MOODS), HIDDEN),
        "mood_out_bias": (len(MOODS),),
    }
    return HeadWeights.from_arrays({name: rng.normal(size=shape) for name, shape in shapes.items()}, themes, WIDTH)


def calibration(themes: int, seed: int) -> Calibration:
    rng = np.random.default_rng(seed)
    return Calibration(
        *(rng.random(themes) for _ in range(3)),
        *(rng.random(len(SIGNALS)) for _ in range(3)),
        *(float(value) for value in 0.5 + rng.random(7)),
        score_table=rng.normal(size=(5, len(MOODS))),
        score_weight=0.3,
    )


@pytest.fixture
def models():
    return weights(len(OWN), 1), calibration(len(OWN), 2), weights(len(BASE), 3), calibration(len(BASE), 4)


def read(heads: HeadWeights, fit: Calibration, themes: int):
    tokens = np.random.default_rng(9).normal(size=(7, WIDTH)).astype(np.float32)
    return Heads(heads, fit, themes).read(tokens, np.ones((7, 1), np.float32), position=0.1)


@pytest.mark.parametrize("tasks", [(), *((task,) for task in TASKS), TASKS])
def test_inherited_tasks_are_read_as_the_base_reads_them_and_the_others_as_before(models, tasks):
    own, own_fit, base, base_fit = models
    mixed = read(inherited(own, base, tasks), inherited_calibration(own_fit, base_fit, tasks), len(OWN))
    before, shipped = read(own, own_fit, len(OWN)), read(base, base_fit, len(BASE))
    np.testing.assert_allclose(mixed.themes, before.themes)
    for task in ("sentiment", "signals", "justified"):
        expected, other = (shipped, before) if task in tasks else (before, shipped)
        np.testing.assert_allclose(getattr(mixed, task), getattr(expected, task), rtol=1e-5)
        assert not np.allclose(getattr(mixed, task), getattr(other, task))
    assert np.allclose(mixed.moods, before.moods) is ("moods" not in tasks)


def test_moods_are_read_by_the_base_from_what_ones_own_themes_attend_to(models):
    own, own_fit, base, base_fit = models
    same = with_themes(own, OWN, base, BASE)
    mixed = read(inherited(same, base, ("moods",)), inherited_calibration(own_fit, base_fit, ("moods",)), len(OWN))
    np.testing.assert_allclose(mixed.moods[OWN.index("b")], read(base, base_fit, len(BASE)).moods[0], rtol=1e-5)


def test_themes_of_both_code_frames_start_from_the_base(models):
    own, _, base, _ = models
    out = with_themes(own, OWN, base, BASE)
    for name in ("query", "weight", "bias"):
        ours, before, theirs = (getattr(each, name) for each in (out, own, base))
        np.testing.assert_array_equal(ours[1], theirs[0])
        np.testing.assert_array_equal(np.delete(ours, 1, axis=0), np.delete(before, 1, axis=0))


def test_nothing_given_is_changed(models):
    own, _, base, _ = models
    copies = [weights(len(OWN), 1), weights(len(BASE), 3)]
    with_themes(inherited(own, base, TASKS), OWN, base, BASE)
    for given, copy in zip((own, base), copies, strict=True):
        for name in HeadWeights.__dataclass_fields__:
            np.testing.assert_array_equal(getattr(given, name), getattr(copy, name))


def test_every_number_of_a_calibration_belongs_to_one_task_or_to_the_themes():
    names = [name for task in TASKS for name in CALIBRATED[task]]
    assert sorted([*names, *CALIBRATED["themes"]]) == sorted(Calibration.__dataclass_fields__)


def test_a_task_is_unlabelled_where_no_row_says_anything_of_it(row):
    def missing(*rows):
        return unlabelled(targets(rows, OWN))

    assert missing(row(themes=frozenset("a"))) == TASKS
    assert missing(row(sentiment="mixed"), row(justified=False)) == ("themes", "moods", "signals")
    assert missing(row(signals=frozenset()), row(theme_sentiments={"b": "neutral"})) == (
        "themes",
        "sentiment",
        "justified",
    )
    assert missing(row(theme_sentiments={}, signals=frozenset(), signals_disputed=frozenset(SIGNALS))) == (
        "themes",
        *TASKS,
    )


def test_single_signals_are_inherited_with_their_calibration_and_the_others_kept(models):
    own, own_fit, base, base_fit = models
    tasks = ("legal_threat", "suggestion")
    mixed = read(inherited(own, base, tasks), inherited_calibration(own_fit, base_fit, tasks), len(OWN))
    before, shipped = read(own, own_fit, len(OWN)), read(base, base_fit, len(BASE))
    expected = [(shipped if name in tasks else before).signals[i] for i, name in enumerate(SIGNALS)]
    np.testing.assert_allclose(mixed.signals, expected, rtol=1e-5)
    np.testing.assert_allclose(mixed.justified, before.justified)
    np.testing.assert_allclose(mixed.themes, before.themes)
    cuts = inherited_calibration(own_fit, base_fit, tasks).signal_threshold
    np.testing.assert_array_equal(
        cuts, np.where([name in tasks for name in SIGNALS], base_fit.signal_threshold, own_fit.signal_threshold)
    )


ONE_CLASS = [
    ({"themes": frozenset()}, {"themes": frozenset()}, ("themes",)),
    ({"themes": frozenset("a")}, {"themes": frozenset("a")}, ("themes",)),
    ({"theme_sentiments": {"a": "mixed"}}, {"theme_sentiments": {"b": "mixed"}}, ("moods",)),
    ({"sentiment": "mixed"}, {"sentiment": "mixed"}, ("sentiment",)),
    ({"justified": True}, {"justified": True}, ("justified",)),
    ({"signals": frozenset()}, {"signals": frozenset()}, ("signals",)),
]
SOME = {
    "themes": frozenset("b"),
    "theme_sentiments": {"b": "positive"},
    "sentiment": "positive",
    "justified": False,
    "signals": frozenset(SIGNALS),
}
OTHER = {
    "themes": frozenset("a"),
    "theme_sentiments": {"a": "negative"},
    "sentiment": "negative",
    "justified": True,
    "signals": frozenset(),
}


@pytest.mark.parametrize(("one", "two", "tasks"), ONE_CLASS)
def test_a_task_of_one_class_teaches_nothing(row, one, two, tasks):
    rows = [row(**SOME | one), row(**OTHER | two)]
    assert unlabelled(targets(rows, OWN)) == ()
    wanted, before = targets(teaching(rows, OWN), OWN), targets(rows, OWN)
    assert unlabelled(wanted) == tasks
    for task in {"themes", *TASKS} - set(tasks):
        np.testing.assert_array_equal(getattr(wanted, task), getattr(before, task))


def test_a_signal_that_no_row_has_teaches_nothing_beside_others_that_do(row):
    rows = [row(signals=frozenset({"suggestion"})), row(signals=frozenset()), row(sentiment="mixed")]
    wanted = targets(teaching(rows, OWN), OWN)
    silent = tuple(signal for signal in SIGNALS if signal != "suggestion")
    assert unlabelled(wanted) == ("themes", *(task for task in TASKS if task != "signals"), *silent)
    assert wanted.signals[:, SIGNALS.index("suggestion")].tolist() == [1, 0, -1]


def test_a_theme_that_no_row_has_is_taught_as_absent_beside_others(row):
    rows = [row(themes=frozenset("a")), row(themes=frozenset())]
    assert targets(teaching(rows, OWN), OWN).themes.tolist() == [[1, 0], [0, 0]]
    assert teaching(rows, OWN)[0].id == "r" and [each.text for each in teaching(rows, OWN)] == ["text", "text"]
