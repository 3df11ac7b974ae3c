"""Exact reference of a binary convolution with its affine, from the Keras weights alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from converters.lce.binary_convs import MAX_POOL, BatchNorm, BinaryConv, Doubles

UNIT_ROUNDOFF = 2.0**-24  # float32, round to nearest

# LCE computes y = fl(fl(2 * acc * m') + b') with m' = -g and b' = fl(b + K * g), and for zero
# padding one more addition. In units of 2^-24, with |2 * acc * g| <= 2 K |g|:
#   b' K|g| + |b|;  product 2 K|g|;  zero-padding term and its sum 2 K|g|;
# g itself is sqrt, divide and two products in float32 in the converter: at most 4 roundings,
# each K|g|. Sum: 9 K|g|. Final sums: 1 ulp of the result, added separately.
PRODUCT_ROUNDINGS = 9
# One batch norm that is not folded: product and sum of values up to the bound.
NORM_ROUNDINGS = 2
# b = bias * m + beta - mean * m with m of up to 4 roundings, then product, sum, b' itself.
OFFSET_ROUNDINGS = 7
# A further batch norm folded in: its multiplier (4), that times g and b, and the sum.
FURTHER_NORM_ROUNDINGS = 6

ACTIVATION_RANGES = {
    "NONE": (-np.inf, np.inf),
    "RELU": (0.0, np.inf),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU6": (0.0, 6.0),
}


@dataclass(frozen=True)
class Affine:
    """``y = clamp(sum, low, high) * g + b`` per filter, and its rounding tolerance.

    Attributes:
        multiplier: g, ``(filters,)``.
        offset: b, ``(filters,)``.
        low: of the fused activation.
        high: of the fused activation.
        tolerance: absolute, without the last ulp, ``(filters,)``.
        bound: largest possible ``|y|``, ``(filters,)``.
    """

    multiplier: Doubles
    offset: Doubles
    low: float
    high: float
    tolerance: Doubles
    bound: Doubles


def expected_affine(conv: BinaryConv, fused_activation: str) -> Affine:
    """What the op has to fold in, given the activation it says it has fused.

    The converter folds the batch norms that follow the convolution (or the activation fused into
    it), each the only reader of the one before; everything later stays an op of its own.

    Raises:
        ValueError: the Keras model has no such activation behind the convolution.
    """
    tail = list(conv.tail)
    if fused_activation != "NONE":
        if not tail or tail.pop(0) != fused_activation:
            raise ValueError(f"{fused_activation} is fused, the Keras layer has {conv.tail[:1]}")
        if (conv.scale != 1).any() or conv.bias.any():
            raise ValueError(f"{fused_activation} is fused before the scale or bias")
    multiplier, offset, magnitude = conv.scale, conv.bias, np.abs(conv.bias)
    further = 0
    for number, norm in enumerate(tail):
        if not isinstance(norm, BatchNorm):
            break
        further = number * FURTHER_NORM_ROUNDINGS
        magnitude = np.abs(norm.beta) + (np.abs(norm.mean) + magnitude) * np.abs(norm.multiplier)
        offset = norm.beta + (offset - norm.mean) * norm.multiplier
        multiplier = multiplier * norm.multiplier
    weights = np.prod(conv.kernel.shape[:3])
    product = weights * np.abs(multiplier)
    low, high = ACTIVATION_RANGES[fused_activation]
    return Affine(
        multiplier=multiplier,
        offset=offset,
        low=low,
        high=high,
        tolerance=UNIT_ROUNDOFF
        * ((PRODUCT_ROUNDINGS + further) * product + (OFFSET_ROUNDINGS + further) * magnitude),
        bound=product + magnitude,
    )


@dataclass(frozen=True)
class SignTail:
    """What a convolution with bitpacked output takes the sign of, before any pooling.

    Attributes:
        values: float64, shape of the sums.
        tolerance: absolute, ``(filters,)``.
        negated: filters that fall with the sum: the converter negates them, boolean ``(filters,)``.
        inverted: filters that fall with a pooled value: their bits are pooled inverted.
    """

    values: Doubles
    tolerance: Doubles
    negated: NDArray[np.bool_]
    inverted: NDArray[np.bool_]


def sign_tail(conv: BinaryConv, sums: NDArray[np.float32]) -> SignTail:
    """All that follows a convolution up to the sign, without pooling.

    Args:
        conv: the layer.
        sums: integers, filters last.

    Raises:
        ValueError: something in the Keras model behind the convolution is unknown.
    """
    before, behind = np.ones(len(conv.scale)), np.ones(len(conv.scale))
    pooled = False
    values = sums.astype(np.float64) * conv.scale + conv.bias
    product = np.prod(conv.kernel.shape[:3]) * conv.scale
    bound = product + np.abs(conv.bias)
    tolerance = UNIT_ROUNDOFF * (PRODUCT_ROUNDINGS * product + OFFSET_ROUNDINGS * np.abs(conv.bias))
    for step in conv.tail:
        if step == MAX_POOL:
            pooled = True
        elif isinstance(step, BatchNorm):
            factor = np.abs(step.multiplier)
            shift = np.abs(step.beta) + np.abs(step.mean) * factor
            values = values * step.multiplier + (step.beta - step.mean * step.multiplier)
            rounding = OFFSET_ROUNDINGS * shift + NORM_ROUNDINGS * bound * factor
            tolerance = tolerance * factor + UNIT_ROUNDOFF * rounding
            bound = bound * factor + shift
            if pooled:
                behind = behind * step.multiplier
            else:
                before = before * step.multiplier
        elif step in ACTIVATION_RANGES:
            values = np.clip(values, *ACTIVATION_RANGES[step])
        else:
            raise ValueError(f"the sign of {step} is not verified")
    return SignTail(values, tolerance, before < 0, behind < 0)


def binary_sums(conv: BinaryConv, signs: NDArray[np.int8]) -> NDArray[np.float32]:
    """The convolution of -1/+1 tensors as exact integers.

    Every partial sum is an integer below 2^24, so float32 matrix products are exact.

    Args:
        conv: the layer; its own stride, dilation and padding are used, not the file's.
        signs: int8 -1/+1, shape ``(n, height, width, channels)``.

    Returns:
        float32 integers, shape ``(n, out_height, out_width, filters)``.
    """
    kernel = np.where(conv.kernel < 0, np.float32(-1), np.float32(1))
    height, width = kernel.shape[:2]
    image = signs.astype(np.float32)
    pads, out = [], []
    for size, window, stride, dilation in zip(
        signs.shape[1:3], (height, width), conv.strides, conv.dilation, strict=True
    ):
        span = (window - 1) * dilation + 1
        if conv.padding == "same":  # TensorFlow's rule: the larger half behind
            count = -(-size // stride)
            total = max((count - 1) * stride + span - size, 0)
        else:
            count, total = (size - span) // stride + 1, 0
        pads.append((total // 2, total - total // 2))
        out.append(count)
    image = np.pad(image, [(0, 0), *pads, (0, 0)], constant_values=conv.pad_values)
    per_group = kernel.shape[3] // conv.groups
    channels = kernel.shape[2]
    result = np.zeros((len(signs), *out, kernel.shape[3]), np.float32)
    for y in range(height):
        for x in range(width):
            rows = slice(y * conv.dilation[0], None, conv.strides[0])
            columns = slice(x * conv.dilation[1], None, conv.strides[1])
            taps = image[:, rows, columns][:, : out[0], : out[1]]
            for group in range(conv.groups):
                filters = slice(group * per_group, (group + 1) * per_group)
                source = taps[..., group * channels : (group + 1) * channels]
                result[..., filters] += source @ kernel[y, x][:, filters]
    return result


def apply_affine(affine: Affine, sums: NDArray[np.float32]) -> Doubles:
    """``clamp(sums) * g + b`` in float64, shape of ``sums``."""
    clamped = np.clip(sums.astype(np.float64), affine.low, affine.high)
    result: Doubles = clamped * affine.multiplier + affine.offset
    return result


def output_tolerance(affine: Affine, expected: Doubles) -> Doubles:
    """Allowed absolute difference per output: roundings of the affine and one final ulp."""
    ulp = np.spacing(np.abs(expected).astype(np.float32)).astype(np.float64)
    result: Doubles = affine.tolerance + ulp
    return result
