"""Schedules as pure functions: both ends, the middle, and what is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irnet_keras.schedules import ede_t, warmup_cosine


@given(st.floats(1e-6, 1e3), st.floats(1, 1e6))
def test_both_ends_are_exact(t_min, ratio):
    t_max = t_min * ratio
    assert ede_t(0.0, t_min, t_max) == t_min
    assert ede_t(1.0, t_min, t_max) == t_max


def test_defaults_are_the_papers():
    assert ede_t(0.0) == 0.1
    assert ede_t(1.0) == 10.0
    assert ede_t(0.5) == pytest.approx(1.0, rel=1e-14)


@given(st.floats(0, 1))
def test_equals_the_papers_form(progress):
    expected = 10 ** (math.log10(1e-3) + (1 - math.log10(1e-3)) * progress)
    assert ede_t(progress, 1e-3, 1e1) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("progress", [-0.01, 1.01, math.nan])
def test_progress_outside_is_refused(progress):
    with pytest.raises(ValueError, match="progress must be in"):
        ede_t(progress)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (2, 1), (1, math.inf), (-1, 1), (math.nan, 1)])
def test_bad_range_is_refused(low, high):
    with pytest.raises(ValueError, match="need 0 < t_min <= t_max"):
        ede_t(0.5, low, high)


def test_warmup_then_cosine_by_hand():
    values = [warmup_cosine(i, 6, 0.8, 2) for i in range(7)]
    expected = [0.4, 0.8, 0.8, 0.4 * (1 + math.cos(math.pi / 4)), 0.4]
    assert values[:5] == pytest.approx(expected)
    assert values[6] == pytest.approx(0.0, abs=1e-16)
    assert warmup_cosine(0, 4, 0.5) == 0.5


@pytest.mark.parametrize(("step", "total", "warmup"), [(-1, 4, 0), (0, 4, 4), (0, 0, 0)])
def test_bad_steps_are_refused(step, total, warmup):
    with pytest.raises(ValueError, match="warmup_steps < total_steps"):
        warmup_cosine(step, total, 1.0, warmup)
