"""Statistics against numbers worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_bench.local import split_evenly
from edge_bench.statistics import median_ratio_interval, summarize

SAMPLES = st.lists(st.floats(0.01, 100), min_size=1, max_size=30)


def test_summary_by_hand() -> None:
    summary = summarize([4.0, 1.0, 2.0, 10.0])
    assert summary.median == 3.0  # (2 + 4) / 2
    assert summary.mad == 1.5  # deviations 1, 2, 1, 7 -> (1 + 2) / 2
    assert summary.p90 == pytest.approx(8.2)  # position 2.7 of 0..3: 4 + 0.7 * 6
    assert summary.minimum == 1.0


def test_summary_of_one_sample() -> None:
    summary = summarize([2.5])
    assert (summary.median, summary.mad, summary.p90, summary.minimum) == (2.5, 0.0, 2.5, 2.5)


def test_no_samples_are_an_error() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        summarize([])
    with pytest.raises(ValueError, match="both sides need samples"):
        median_ratio_interval([1.0], [], seed=0)


def test_ratio_of_constant_samples_is_exact() -> None:
    assert median_ratio_interval([3.0] * 30, [2.0] * 40, seed=1) == (1.5, 1.5)


def test_ratio_interval_of_a_coin_is_its_two_sides() -> None:
    """Resampled medians of {1, 3} with three draws are 1 or 3, each half of the time."""
    assert median_ratio_interval([1.0, 1.0, 3.0, 3.0][:3], [1.0], seed=2)[0] == 1.0
    assert median_ratio_interval([1.0, 3.0, 3.0], [1.0], seed=2)[1] == 3.0


def test_ratio_interval_is_seeded(rng: np.random.Generator) -> None:
    a, b = rng.gamma(5, 1, 40), rng.gamma(5, 1, 40)
    assert median_ratio_interval(a, b, seed=7) == median_ratio_interval(a, b, seed=7)
    assert median_ratio_interval(a, b, seed=7) != median_ratio_interval(a, b, seed=8)


def test_ratio_interval_covers_the_truth_about_as_often_as_it_says(seed: int) -> None:
    """True ratio 2, 200 repetitions: 95 % coverage, binomial standard error 1.5 %."""
    rng = np.random.default_rng(seed)
    hits = 0
    for i in range(200):
        a, b = 2 * rng.lognormal(0, 0.3, 60), rng.lognormal(0, 0.3, 60)
        low, high = median_ratio_interval(a, b, seed=i, resamples=500)
        hits += low <= 2 <= high
    assert 0.88 <= hits / 200 <= 1.0


@given(SAMPLES, st.floats(0.1, 10))
def test_summary_scales_with_its_unit(samples: list[float], factor: float) -> None:
    one, other = summarize(samples), summarize([factor * s for s in samples])
    assert other.median == pytest.approx(factor * one.median)
    assert other.mad == pytest.approx(factor * one.mad, abs=1e-9)
    assert other.p90 == pytest.approx(factor * one.p90)
    assert one.minimum <= one.median <= one.p90 or len(samples) < 3


@given(st.integers(1, 200), st.integers(1, 20))
def test_split_is_even_and_complete(total: int, parts: int) -> None:
    counts = split_evenly(total, parts)
    assert sum(counts) == total
    assert len(counts) == parts
    assert max(counts) - min(counts) <= 1
