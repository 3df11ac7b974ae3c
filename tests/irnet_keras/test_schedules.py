"""Schedules as pure functions: both ends, the middle, and what is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irnet_keras.schedules import ede_t, warmup_cosine, warmup_steps_down


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


def test_released_imagenet_schedule_by_hand():
    """62,500 steps: 0.2 to 0.8 in 2,500, times 0.1 at 18,750, 37,500 and 56,250."""

    def rate(step):
        return warmup_steps_down(step, 62_500, 0.8, 2_500, 0.25)

    assert [rate(0), rate(1_249), rate(2_499)] == pytest.approx([0.20024, 0.5, 0.8])
    for step, expected in ((18_749, 0.8), (18_750, 0.08), (37_499, 0.08), (37_500, 0.008)):
        assert rate(step) == pytest.approx(expected, rel=1e-12)
    assert [rate(56_249), rate(56_250), rate(62_499)] == pytest.approx([8e-3, 8e-4, 8e-4])
    with pytest.raises(ValueError, match="warmup_steps < total_steps"):
        warmup_steps_down(0, 4, 1.0, 4)


def test_warm_up_may_begin_above_zero():
    assert [warmup_cosine(i, 9, 1.0, 4, 0.2) for i in range(4)] == pytest.approx([0.4, 0.6, 0.8, 1])
