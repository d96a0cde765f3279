"""Issues that come up among complaints: found where they are dense now and were not before."""

import numpy as np
import pytest

from nlp.births import Birth, births
from nlp.spread import unit

WIDTH = 60


def spread_out(count: int, seed: int = 0) -> np.ndarray:
    """Complaints about everything."""
    return unit(np.random.default_rng(seed).normal(size=(count, WIDTH)))


def about(centre: int, count: int, seed: int = 1, noise: float = 0.1) -> np.ndarray:
    """Complaints about one thing, whose mean cosine is about 0.6."""
    points = np.random.default_rng(seed).normal(size=(count, WIDTH)) * noise
    points[:, centre] += 1.0
    return unit(points)


def found(points: np.ndarray, age: np.ndarray, known: np.ndarray | None = None) -> list[Birth]:
    return births(points, age, np.zeros(len(points), bool) if known is None else known)


def usual(count: int = 800, days: float = 40.0) -> tuple[np.ndarray, np.ndarray]:
    return spread_out(count), np.linspace(days, 0.01, count)


def test_a_dense_place_of_the_last_days_is_an_issue_with_its_members() -> None:
    points, age = usual()
    [birth] = found(np.concatenate([points, about(3, 12)]), np.concatenate([age, np.full(12, 0.5)]))
    assert len(set(birth.members) & set(range(800, 812))) >= 11
    assert len(set(birth.members) - set(range(800, 812))) <= 2
    assert birth.centre[3] == pytest.approx(1, abs=0.1)
    assert birth.days == 1 and birth.likelihood > 20


def test_what_was_always_said_is_none_and_old_members_are_its_measure() -> None:
    points, age = usual()
    always = np.linspace(40.0, 0.1, 60)
    assert found(np.concatenate([points, about(3, 60)]), np.concatenate([age, always])) == []
    few = np.array([30.0, 20.0, 10.0, *[0.5] * 12])
    [birth] = found(np.concatenate([points, about(3, 15)]), np.concatenate([age, few]))
    assert {800, 801, 802} <= set(birth.members)


def test_two_issues_are_two_and_the_clearer_one_comes_first() -> None:
    points, age = usual()
    both = np.concatenate([points, about(3, 10), about(7, 20, seed=2)])
    first, second = found(both, np.concatenate([age, np.full(30, 0.5)]))
    assert (first.centre.argmax(), second.centre.argmax()) == (7, 3)


def test_what_has_come_up_before_does_not_again_and_something_else_does() -> None:
    points, age = usual()
    points, age = np.concatenate([points, about(3, 12)]), np.concatenate([age, np.full(12, 0.5)])
    known = np.arange(len(points)) >= 800
    assert found(points, age, known) == []
    more, later, wider = about(7, 12, seed=4), np.full(12, 0.4), np.zeros(12, bool)
    [birth] = found(np.concatenate([points, more]), np.concatenate([age, later]), np.concatenate([known, wider]))
    assert set(range(812, 824)) <= set(birth.members) and not set(range(800, 812)) & set(birth.members)


@pytest.mark.parametrize("count", [0, 1, 6])
def test_too_few_answers_are_no_issue(count: int) -> None:
    assert found(about(3, count), np.full(count, 0.5)) == []
    points, age = usual()
    assert found(np.concatenate([points, about(3, count)]), np.concatenate([age, np.full(count, 0.5)])) == []


def test_chance_makes_next_to_none() -> None:
    age = np.linspace(40.0, 0.01, 1500)
    assert sum(len(found(spread_out(1500, seed), age)) for seed in range(6)) <= 1


def test_a_day_with_more_of_everything_brings_nothing_up() -> None:
    points = np.concatenate([about(axis, 60, seed=axis) for axis in range(10)])
    age = np.random.default_rng(3).permutation(np.concatenate([np.linspace(40, 3, 300), np.linspace(2.9, 0.1, 300)]))
    assert found(points, age) == []


def test_of_a_long_history_a_sample_tells_and_all_its_members_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nlp.births.OLD", 400)
    points, age = usual(1500)
    old = np.linspace(39.0, 4.0, 6)
    [birth] = found(np.concatenate([points, about(3, 21)]), np.concatenate([age, old, np.full(15, 0.5)]))
    assert len(set(birth.members) & set(range(1500, 1521))) >= 18


def test_the_order_of_the_rows_does_not_matter() -> None:
    points, age = usual()
    points, age = np.concatenate([points, about(3, 12)]), np.concatenate([age, np.full(12, 0.5)])
    order = np.random.default_rng(5).permutation(len(points))
    [one], [other] = found(points, age), found(points[order], age[order])
    assert sorted(order[other.members]) == list(one.members)
