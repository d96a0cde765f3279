"""Intervals: resampling that keeps its promises, quantiles as numpy's, Wilson's interval as in statsmodels."""

import tracemalloc

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from training.intervals import RESAMPLES, Interval, f1, macro_f1, precision, recall, resample, spread, wilson


def test_draws_take_as_many_rows_as_there_are():
    counts = np.ones((37, 2, 3), np.int16)
    assert resample(counts).shape == (RESAMPLES, 2, 3) and (resample(counts) == 37).all()


def test_sums_spread_as_sampling_with_replacement_does():
    values = np.random.default_rng(0).integers(0, 9, (400, 1))
    sums = resample(values)[:, 0]
    assert sums.mean() == pytest.approx(values.sum(), rel=0.01)
    assert sums.std() == pytest.approx(values.std() * np.sqrt(len(values)), rel=0.06)


def test_columns_are_drawn_together():
    values = np.random.default_rng(1).integers(0, 5, (50, 1))
    drawn = resample(np.hstack([values, 2 * values]))
    assert (drawn[:, 1] == 2 * drawn[:, 0]).all() and len(np.unique(drawn[:, 0])) > 10


def test_many_rows_and_themes_take_little_memory():
    counts = np.ones((5000, 46, 3), np.int16)
    tracemalloc.start()
    try:
        resample(counts)
        assert tracemalloc.get_traced_memory()[1] < 20e6  # all weights at once take 80 MB
    finally:
        tracemalloc.stop()


def test_the_interval_is_numpys_and_leaves_out_what_has_no_value():
    values = np.random.default_rng(2).normal(size=(333, 3))
    values[::7, 1] = np.nan
    expected = np.nanquantile(values, [0.025, 0.975], axis=0)
    assert np.allclose(spread(values), expected)
    assert np.isnan(spread(np.full((5, 1), np.nan))).all()


def test_measures_of_counts():
    sums = np.array([[8, 2, 4], [0, 0, 3], [0, 2, 0], [0, 0, 0]])
    assert np.array_equal(precision(sums), [0.8, np.nan, 0.0, np.nan], equal_nan=True)
    assert np.array_equal(recall(sums), [8 / 12, 0.0, np.nan, np.nan], equal_nan=True)
    assert np.array_equal(f1(sums), [16 / 22, 0.0, 0.0, np.nan], equal_nan=True)
    assert macro_f1(sums) == pytest.approx((16 / 22 + 0.0) / 2)  # the last two never occur
    assert np.isnan(macro_f1(sums[2:]))


@pytest.mark.parametrize(("hits", "tries"), [(0, 5), (5, 5), (1, 3), (51, 53), (400, 1000)])
def test_wilson(hits, tries):
    low, high = proportion_confint(hits, tries, method="wilson")
    found = wilson(hits, tries)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)


def test_nothing_tried_has_no_interval():
    assert wilson(0, 0) is None
    assert isinstance(wilson(0, 1), Interval)
