"""Error Decay Estimator (EDE): sign forward, an annealed tanh derivative backward."""

from typing import Any

import larq as lq
import tensorflow as tf
from tf_keras.src.engine import base_layer_utils


def ede_gradient(x: tf.Tensor, t: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """``upstream * k * t * (1 - tanh(t * x)**2)`` with ``k = max(1 / t, 1)``; shape of ``x``.

    ``k * t`` is ``max(1, t)``. TensorFlow's own tanh gradient does the rest in one pass over
    memory, which is what this costs. At +-Inf it is 0, at NaN it is NaN.
    """
    gain = tf.maximum(tf.ones_like(t), t)
    return gain * tf.raw_ops.TanhGrad(y=tf.tanh(t * x), dy=upstream)


@tf.custom_gradient
def _sign_with_ede(x: tf.Tensor, t: tf.Tensor) -> Any:
    def grad(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return ede_gradient(x, t, upstream), tf.zeros_like(t)

    return lq.math.sign(x), grad


def ede_sign(x: tf.Tensor, t: float | tf.Tensor = 1.0) -> tf.Tensor:
    r"""Sign with EDE's gradient.

    Forward: ``+1 if x >= 0 else -1`` (sign(0) = sign(-0) = +1; NaN stays NaN).
    Backward: ``k * t * (1 - tanh(t * x)**2)``, ``k = max(1/t, 1)``; no gradient to ``t``.

    Args:
        x: floating-point tensor of any shape.
        t: positive scalar, sharpness of the estimator: about 0.1 is close to the identity
            around 0, 10 close to the sign's own derivative.

    Returns:
        Tensor of -1 and +1 with the shape and dtype of ``x``.

    References:
        IR-Net (CVPR 2020), eq. (9) to (11). The released code uses sign(0) = 0; Larq and LCE
        need +1.
    """
    x = tf.convert_to_tensor(x)
    # tf.cast alone would round a Python float to float32 first
    sharpness = tf.cast(t, x.dtype) if tf.is_tensor(t) or hasattr(t, "dtype") else t
    return _sign_with_ede(x, tf.convert_to_tensor(sharpness, x.dtype))


class _InstantiatedByActivation(type(lq.quantizers.Quantizer)):  # type: ignore[misc]
    """Makes ``Activation("ede_sign")`` work.

    ``tf_keras`` resolves a string given to ``Activation`` to the registered class and calls
    the class with a tensor (Larq's own quantizers fail the same way). Here such a call puts an
    instance into the calling layer, so that its ``t`` is tracked, and applies it.
    """

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if not (args and tf.is_tensor(args[0])):
            return super().__call__(*args, **kwargs)
        layer = base_layer_utils.call_context().layer
        if getattr(layer, "activation", None) is not cls:
            raise TypeError(
                f"{cls.__name__} takes no tensor; call an instance: {cls.__name__}()(x)"
            )
        layer.activation = cls()
        return layer.activation(*args, **kwargs)


class EDEQuantizer(lq.quantizers.Quantizer, metaclass=_InstantiatedByActivation):  # type: ignore[misc]
    """Base of the quantizers whose gradient is EDE: holds ``t``.

    ``t`` is a non-trainable scalar weight named ``<quantizer name>_t``. It is saved and
    restored with the model and set by :class:`irnet_keras.EDEScheduler`.

    Args:
        t: initial sharpness, > 0.
    """

    precision = 1

    def __init__(self, t: float = 1e-1, **kwargs: Any) -> None:
        if not (isinstance(t, (int, float)) and 0.0 < t < float("inf")):
            raise ValueError(f"t must be a positive finite number, got {t!r}")
        kwargs.setdefault("autocast", False)  # the input's dtype decides, not the layer policy
        super().__init__(**kwargs)
        self._initial_t = float(t)
        self.t = self.add_weight(
            name=f"{self.name}_t",  # .h5 files refuse two variables of one name
            shape=(),
            initializer=tf.keras.initializers.Constant(self._initial_t),
            trainable=False,
            experimental_autocast=False,
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "t": self._initial_t}


@lq.utils.register_alias("ede_sign")
@lq.utils.register_keras_custom_object
class EDESign(EDEQuantizer):
    """Serializable layer form of :func:`ede_sign`, for activations (alias ``"ede_sign"``).

    Args:
        t: initial sharpness, > 0.

    Input and output: floating-point tensors of one shape and dtype; output is -1 or +1.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return ede_sign(inputs, self.t)
