"""The mean of trainings: exact where the rank allows it, the nearest otherwise."""

import numpy as np
import pytest

from nlp.heads import HeadWeights
from training.averaging import mean_adapter, mean_heads


def adapters(count: int, rank: int, seed: int = 0) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    return [
        {
            f"{name}.{part}": rng.normal(size=shape).astype(np.float16)
            for name, (wide, high) in {"one": (24, 16), "two": (16, 40)}.items()
            for part, shape in (("A", (rank, wide)), ("B", (high, rank)))
        }
        for _ in range(count)
    ]


def update(adapter: dict[str, np.ndarray], name: str) -> np.ndarray:
    return adapter[f"{name}.B"].astype(np.float32) @ adapter[f"{name}.A"].astype(np.float32)


@pytest.mark.parametrize("name", ["one", "two"])
def test_with_rank_enough_the_mean_is_the_mean_of_the_updates(name):
    runs = adapters(3, 4)
    mean = mean_adapter(runs, 12)
    assert mean[f"{name}.A"].dtype == np.float16 and mean[f"{name}.A"].shape[0] == 12
    np.testing.assert_allclose(update(mean, name), np.mean([update(run, name) for run in runs], axis=0), atol=0.03)


@pytest.mark.parametrize("name", ["one", "two"])
def test_with_less_rank_it_is_as_near_as_that_rank_can_be(name):
    runs = adapters(3, 4)
    wanted = np.mean([update(run, name) for run in runs], axis=0)
    lost = np.linalg.norm(update(mean_adapter(runs, 5), name) - wanted)
    best = np.sqrt((np.linalg.svd(wanted, compute_uv=False)[5:] ** 2).sum())  # Eckart and Young 1936
    assert lost == pytest.approx(best, rel=0.01)


def test_one_training_is_its_own_mean():
    (run,) = adapters(1, 4)
    np.testing.assert_allclose(update(mean_adapter([run], 4), "one"), update(run, "one"), atol=0.03)


def test_heads_are_averaged_array_by_array():
    names = HeadWeights.__dataclass_fields__
    one, two = (HeadWeights(**{name: np.full((2, 3), value, np.float32) for name in names}) for value in (1.0, 4.0))
    assert all((getattr(mean_heads([one, two]), name) == 2.5).all() for name in names)
