"""Timing that the scripts of this folder share."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np


def interleaved(subjects: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median milliseconds of each."""
    rng = np.random.default_rng(0)
    samples: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name in rng.permutation(list(subjects)):
            subjects[name]()
            begin = time.perf_counter()
            subjects[name]()
            samples[name].append(1e3 * (time.perf_counter() - begin))
    return {name: float(np.median(values)) for name, values in samples.items()}
