"""How much information binary kernels carry, from their latent weights; NumPy only.

A kernel is binary here if the arrays hold ``<prefix>_conv/kernel:0`` and the sharpness of its
quantizer, ``<prefix>_kernel_quantizer_t:0``, as :mod:`irnet_keras.models.parts` names them.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

_KERNEL = "_conv/kernel:0"
_SHARPNESS = "_kernel_quantizer_t:0"
_INPUT_SHARPNESS = "_input_quantizer_t:0"

Signs = dict[str, NDArray[np.bool_]]


class LayerInformation(BaseModel):
    """One convolution with a binary kernel, binary inputs or both; None is not known.

    Attributes:
        layer: name without ``_conv``.
        weights: number of weights.
        filters: number of filters.
        entropy: bits per weight of the signs of the whole kernel, 0..1.
        filter_entropy: the same per filter, averaged over filters.
        flip_rate: share of signs that changed since the end of the epoch before.
        dead_filters: filters whose latent weights are all equal.
        quantization_error: ``sum((u - b)**2) / sum(u**2)`` with u the standardized weights and
            b = 2**s * sign(u), as Libra-PB makes them.
        kernel_t: EDE's sharpness of the kernel.
        input_t: EDE's sharpness of the input.
        useful_gradient: share of the inputs, on a fixed probe batch, that are inside hardtanh and
            where EDE's derivative is at least ``USEFUL_GRADIENT`` of
            :mod:`irnet_keras.training.diagnostics`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    layer: str
    weights: int
    filters: int
    entropy: float | None = None
    filter_entropy: float | None = None
    flip_rate: float | None = None
    dead_filters: int | None = None
    quantization_error: float | None = None
    kernel_t: float | None = None
    input_t: float | None = None
    useful_gradient: float | None = None


def layer_information(
    arrays: Mapping[str, NDArray[Any]],
    before: Signs | None = None,
    useful: Mapping[str, float] | None = None,
) -> list[LayerInformation]:
    """Every convolution with a binary kernel or input, in the network's order of names.

    Args:
        arrays: weights of a model by variable name.
        before: :func:`kernel_signs` of an earlier state, for the flip rate.
        useful: ``useful_gradient`` by layer.
    """
    before, useful = before or {}, useful or {}
    found = []
    for name in sorted(arrays, key=_by_number):
        layer = name.removesuffix(_KERNEL)
        kernel_t = arrays.get(layer + _SHARPNESS)
        input_t = arrays.get(layer + _INPUT_SHARPNESS)
        if not name.endswith(_KERNEL) or (kernel_t is None and input_t is None):
            continue
        kernel = arrays[name]
        known: dict[str, Any] = {}
        if kernel_t is not None:
            known = _binary_kernel(kernel, before.get(layer))
            known["kernel_t"] = float(kernel_t)
        if input_t is not None:
            known |= {"input_t": float(input_t), "useful_gradient": useful.get(layer)}
        found.append(
            LayerInformation(layer=layer, weights=kernel.size, filters=kernel.shape[-1], **known)
        )
    return found


def binary_kernels(arrays: Mapping[str, NDArray[Any]]) -> list[str]:
    """Layers (without ``_conv``) whose kernel is binary."""
    return [i.layer for i in layer_information(arrays) if i.kernel_t is not None]


def kernel_signs(arrays: Mapping[str, NDArray[Any]], layers: list[str]) -> Signs:
    """Signs that Libra-PB gives the kernels of ``layers``; others are left out.

    Returns:
        boolean arrays of shape ``(weights per filter, filters)``, True for +1.
    """
    return {
        layer: standardized(arrays[layer + _KERNEL]) >= 0
        for layer in layers
        if layer + _KERNEL in arrays
    }


def standardized(kernel: NDArray[Any]) -> NDArray[np.float64]:
    """``(w - mean) / std`` per filter, unbiased; a filter of equal weights is 0.

    Args:
        kernel: filters in the last axis.

    Returns:
        shape ``(weights per filter, filters)``.
    """
    flat = kernel.reshape(-1, kernel.shape[-1]).astype(np.float64)
    constant = flat.min(0) == flat.max(0)
    centred = np.where(constant, 0.0, flat - flat.mean(0))
    std = np.sqrt((centred**2).sum(0) / max(1, len(flat) - 1))
    return centred / np.where(std == 0, 1.0, std)


def entropy(positive: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Bits of a sign that is +1 with probability ``positive``: 1 at 0.5, 0 at 0 and 1."""
    p = np.asarray(positive, np.float64)
    parts = [np.where(q > 0, -q * np.log2(np.where(q > 0, q, 1.0)), 0.0) for q in (p, 1 - p)]
    return np.asarray(parts[0] + parts[1])


def _by_number(name: str) -> list[str | int]:
    """Sorts block10 behind block9."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def _binary_kernel(kernel: NDArray[Any], before: NDArray[np.bool_] | None) -> dict[str, Any]:
    u = standardized(kernel)
    signs = u >= 0
    magnitude = np.abs(u).mean(0)
    dead = magnitude == 0
    scale = np.exp2(np.round(np.log2(np.where(dead, 1.0, magnitude))))
    total = float((u**2).sum())
    error = float(((u - np.where(signs, scale, -scale))[:, ~dead] ** 2).sum())
    flips = None if before is None or before.shape != signs.shape else (signs != before).mean()
    return {
        "entropy": float(entropy(float(signs.mean()))),
        "filter_entropy": float(entropy(signs.mean(0)).mean()),
        "flip_rate": None if flips is None else float(flips),
        "dead_filters": int(dead.sum()),
        "quantization_error": error / total if total else None,
    }
