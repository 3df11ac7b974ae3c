"""Libra Parameter Binarization (Libra-PB): balanced, standardized binary weights."""

import math
from typing import Any

import larq as lq
import tensorflow as tf

from irnet_keras.quantizers.ede import EDEQuantizer, ede_sign

_LN2 = 0.6931471805599453


def _standardize(w: tf.Tensor, axes: list[int]) -> tuple[tf.Tensor, tf.Tensor]:
    """``(w - mean) / unbiased std`` over ``axes``; 0 where the filter is constant.

    The result does not depend on shift and scale of ``w``, so weights and deviations are first
    divided by their largest magnitudes (without gradient) and centred again: no overflow or
    underflow for any finite filter, and an exactly constant filter has variance exactly 0.

    Returns:
        standardized weights (shape of ``w``) and a boolean "is constant" (reduced shape).
    """
    w = _divided_by_largest(w, axes)
    deviation = _divided_by_largest(w - tf.reduce_mean(w, axes, keepdims=True), axes)
    deviation -= tf.reduce_mean(deviation, axes, keepdims=True)
    count = tf.cast(math.prod(w.shape[axis] for axis in axes), w.dtype)
    variance = tf.reduce_sum(tf.square(deviation), axes, keepdims=True) / tf.maximum(
        count - 1, tf.ones_like(count)
    )
    constant = tf.equal(variance, 0)
    # Both branches of a where need a finite gradient: sqrt'(0) is infinite.
    std = tf.sqrt(tf.where(constant, tf.ones_like(variance), variance))
    return tf.where(constant, tf.zeros_like(deviation), deviation / std), constant


def _divided_by_largest(x: tf.Tensor, axes: list[int]) -> tf.Tensor:
    """``x / max|x|`` over ``axes`` (0 / 0 is 0), the divisor without gradient."""
    largest = tf.stop_gradient(tf.reduce_max(tf.abs(x), axes, keepdims=True))
    return x / tf.where(tf.equal(largest, 0), tf.ones_like(largest), largest)


def _axes(w: tf.Tensor, per: str) -> list[int]:
    rank = w.shape.rank
    if per == "layer":
        return list(range(rank))
    return list(range(rank - 1))


def constant_filters(w: tf.Tensor, per: str = "filter") -> tf.Tensor:
    """Which filters of ``w`` carry no information because all their weights are equal.

    Returns:
        boolean tensor, shape ``(filters,)`` (or ``(1,)`` for ``per="layer"``).
    """
    w = tf.convert_to_tensor(w)
    return tf.reshape(_standardize(w, _axes(w, per))[1], [-1])


def libra_pb(
    w: tf.Tensor,
    t: float | tf.Tensor = 1.0,
    *,
    per: str = "filter",
    use_scale: bool = True,
) -> tf.Tensor:
    r"""Libra-PB: ``2**s * sign((w - mean) / std)``, with EDE's gradient.

    Forward, per output filter (last axis) or per layer:
    ``u = (w - mean(w)) / std(w)`` with the unbiased standard deviation (n - 1),
    ``s = round(log2(mean(|u|)))`` (ties to even), ``y = 2**s * sign(u)``, sign(0) = +1.

    Backward: ``dy/du = 2**s * k*t*(1 - tanh(t*u)**2)`` and then the exact derivative of the
    standardization (through mean and std). No gradient flows through ``s``.

    A constant filter (std 0; also a filter of one weight) yields ``u = 0`` and so
    ``y = +1`` everywhere, with gradient 0. NaN or Inf in a filter makes that filter NaN.

    Args:
        w: floating-point kernel, filters in the last axis (HWIO or ``(in, out)``).
        t: positive scalar, EDE's sharpness.
        per: ``"filter"`` or ``"layer"``: what shares mean, std and scale.
        use_scale: multiply by ``2**s``; otherwise the result is -1 and +1.

    Returns:
        Tensor with the shape and dtype of ``w``; one magnitude per filter. Half-precision
        kernels are computed in float32.

    Raises:
        ValueError: ``per`` is neither of the two, or the kernel's shape is not static.

    References:
        IR-Net (CVPR 2020), eq. (6) to (8). The released code has sign(0) = 0.
    """
    if per not in ("filter", "layer"):
        raise ValueError(f"per must be 'filter' or 'layer', got {per!r}")
    w = tf.convert_to_tensor(w)
    if not w.shape.is_fully_defined():
        raise ValueError(f"the kernel's shape must be static, got {w.shape}")
    dtype = w.dtype
    if dtype in (tf.float16, tf.bfloat16):  # their sums lose signs and overflow
        w = tf.cast(w, tf.float32)
    axes = _axes(w, per)
    u, constant = _standardize(w, axes)
    # scale * larq.math.sign(u) is the form LCE's converter folds at every kernel size.
    binary = ede_sign(u, t)
    if not use_scale:
        return tf.cast(binary, dtype)
    magnitude = tf.reduce_mean(tf.abs(u), axes, keepdims=True)
    magnitude = tf.where(constant, tf.ones_like(magnitude), magnitude)
    scale = tf.pow(tf.cast(2, w.dtype), tf.round(tf.math.log(magnitude) / tf.cast(_LN2, w.dtype)))
    return tf.cast(tf.stop_gradient(scale) * binary, dtype)


@lq.utils.register_alias("libra_pb")
@lq.utils.register_keras_custom_object
class LibraPB(EDEQuantizer):
    """Serializable layer form of :func:`libra_pb`, for kernels (alias ``"libra_pb"``).

    Args:
        t: initial sharpness of the EDE gradient, > 0.
        per: ``"filter"`` (default) or ``"layer"``.
        use_scale: multiply by the power-of-two scale (default).

    Latent kernels need no clip constraint: the forward pass does not depend on their scale
    and shift.
    """

    def __init__(
        self, t: float = 1e-1, per: str = "filter", use_scale: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(t=t, **kwargs)
        if per not in ("filter", "layer"):
            raise ValueError(f"per must be 'filter' or 'layer', got {per!r}")
        self.per = per
        self.use_scale = bool(use_scale)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return libra_pb(inputs, self.t, per=self.per, use_scale=self.use_scale)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "per": self.per, "use_scale": self.use_scale}
