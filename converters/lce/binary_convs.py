"""The binary convolutions of a Keras model, with everything LCE's op must reproduce.

A convolution is binary when its kernel and its input are: either by a quantizer that states
``precision == 1`` or because the quantized values are -1 and +1 (up to one scale per filter
for the kernel).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.graph.bits import pack_bits
from converters.lce.keras_trace import LayerCall, Trace, probe_images, trace_model

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class BatchNorm:
    """Inference form ``multiplier * x + beta - mean * multiplier``; each ``(channels,)``."""

    multiplier: Doubles
    mean: Doubles
    beta: Doubles


@dataclass(frozen=True)
class BinaryConv:
    """One call of a binary convolution.

    Attributes:
        name: layer name; a second call of a shared layer ends in ``#2``.
        layer: the Keras layer.
        is_conv2d: a plain 2-D convolution, the only kind LCE has.
        kernel: quantized kernel, float32, HWIO.
        strides: (height, width).
        dilation: (height, width).
        padding: ``"same"`` or ``"valid"``.
        pad_values: what "same" padding adds.
        groups: channel groups.
        bias: float64 ``(filters,)``, zeros without bias.
        tail: what alone reads the result, in order: activation names, ``MAX_POOL`` and batch norms.
        twin_of: an earlier convolution with equal weights and options on equal values, which the
            converter merges with this one; None if there is none.
    """

    name: str
    layer: Any
    is_conv2d: bool
    kernel: NDArray[np.float32]
    strides: tuple[int, int]
    dilation: tuple[int, int]
    padding: str
    pad_values: float
    groups: int
    bias: Doubles
    tail: tuple[str | BatchNorm, ...]
    twin_of: str | None = None

    @property
    def activation(self) -> str:
        """Name of the layer's own activation, ``"linear"`` without one."""
        return _own_activation(self.layer)

    @property
    def channels_in(self) -> int:
        """Input channels over all groups."""
        return int(self.kernel.shape[2]) * self.groups

    @property
    def negative(self) -> NDArray[np.bool_]:
        """Sign bits of the kernel as LCE orders them, boolean ``(O, kh, kw, I / groups)``."""
        return np.transpose(self.kernel < 0, (3, 0, 1, 2))

    @property
    def packed(self) -> NDArray[np.int32]:
        """LCE's packed filter, int32 ``(O, kh, kw, ceil(I / groups / 32))``."""
        return pack_bits(self.negative)

    @property
    def scale(self) -> Doubles:
        """Magnitude of each filter's weights, float64 ``(filters,)``."""
        return np.abs(self.kernel).reshape(-1, self.kernel.shape[-1]).max(axis=0).astype(float)

    @property
    def is_uniform(self) -> bool:
        """Whether all weights of a filter have one magnitude, not 0."""
        magnitude = np.abs(self.kernel)
        return bool((magnitude == magnitude[:1, :1, :1]).all() and (magnitude > 0).all())


def binary_convs(model: Any) -> list[BinaryConv]:
    """All binary convolutions of a model in the order they run, nested models included.

    Raises:
        UsageError: an input that :func:`converters.lce.keras_trace.input_shape` refuses.
        CheckFailed: TensorFlow cannot compute the model on a random image.
    """
    trace = trace_model(model, probe_images(model))
    found: list[BinaryConv] = []
    inputs: list[NDArray[Any]] = []
    uses: dict[int, int] = {}
    for call in trace.calls:
        if not _is_binary(call):
            continue
        uses[id(call.layer)] = uses.get(id(call.layer), 0) + 1
        use = uses[id(call.layer)]
        name = call.layer.name if use == 1 else f"{call.layer.name}#{use}"
        conv = _describe(name, call, trace)
        value = np.asarray(call.inputs[0])
        twin = next(
            (c for c, v in zip(found, inputs, strict=True) if _is_same(c, conv, v, value)), None
        )
        found.append(conv if twin is None else replace(conv, twin_of=twin.twin_of or twin.name))
        inputs.append(value)
    return found


def _is_same(one: BinaryConv, other: BinaryConv, of: NDArray[Any], of_other: NDArray[Any]) -> bool:
    """Whether two convolutions of these inputs have one result."""
    options = [
        (c.is_conv2d, c.strides, c.dilation, c.padding, c.pad_values, c.groups, c.activation)
        for c in (one, other)
    ]
    return (
        options[0] == options[1]
        and np.array_equal(one.kernel, other.kernel)
        and np.array_equal(one.bias, other.bias)
        and np.array_equal(of, of_other)
    )


def quantized_input(layer: Any, tensor: Any) -> Any:
    """The tensor a layer convolves, after its own input quantizer."""
    quantizer = getattr(layer, "input_quantizer", None)
    return tensor if quantizer is None else _quantize(quantizer, tensor)


def _quantize(quantizer: Any, value: Any) -> Any:
    import tensorflow as tf

    # Custom gradients refuse variables.
    return quantizer(tf.convert_to_tensor(value))


def _weights(layer: Any) -> tuple[Any, Any]:
    """Kernel variable and its quantizer, or (None, None)."""
    for prefix in ("depthwise", "kernel"):
        quantizer = getattr(layer, f"{prefix}_quantizer", None)
        name = "kernel" if prefix == "kernel" else "depthwise_kernel"
        if quantizer is not None and getattr(layer, name, None) is not None:
            return getattr(layer, name), quantizer
    return None, None


def _is_binary(call: LayerCall) -> bool:
    kernel, quantizer = _weights(call.layer)
    if kernel is None or len(kernel.shape) != 4 or len(call.inputs) != 1:
        return False
    if getattr(quantizer, "precision", None) != 1:
        values = np.abs(np.asarray(_quantize(quantizer, kernel)))
        if kernel.shape[:3].num_elements() < 2 or not (values == values[:1, :1, :1]).all():
            return False
    if getattr(getattr(call.layer, "input_quantizer", None), "precision", None) == 1:
        return True
    values = np.asarray(call.inputs[0])
    if getattr(call.layer, "input_quantizer", None) is not None:
        # sign(0) may be 0 in a function that is otherwise a sign
        values = np.where(values == 0, np.float32(0.5), values)
    return bool((np.abs(np.asarray(quantized_input(call.layer, values))) == 1).all())


def _describe(name: str, call: LayerCall, trace: Trace) -> BinaryConv:
    import larq as lq

    from irnet_keras.layers import NarrowQuantConv2D

    layer = call.layer
    variable, quantizer = _weights(layer)
    kernel = np.asarray(_quantize(quantizer, variable), np.float32)
    bias = getattr(layer, "bias", None)
    return BinaryConv(
        name=name,
        layer=layer,
        is_conv2d=type(layer) in (lq.layers.QuantConv2D, NarrowQuantConv2D),
        kernel=kernel,
        strides=(int(layer.strides[0]), int(layer.strides[1])),
        dilation=(int(layer.dilation_rate[0]), int(layer.dilation_rate[1])),
        padding=str(layer.padding),
        pad_values=float(getattr(layer, "pad_values", 0.0)),
        groups=int(getattr(layer, "groups", 1)),
        bias=np.zeros(kernel.shape[-1]) if bias is None else np.asarray(bias, np.float64),
        tail=_tail(call, trace),
    )


MAX_POOL = "MAX_POOL_2D"
_ACTIVATIONS = {
    "relu": "RELU",
    "relu6": "RELU6",
    "hardtanh": "RELU_N1_TO_1",
    "hard_tanh": "RELU_N1_TO_1",
}


def _tail(call: LayerCall, trace: Trace) -> tuple[str | BatchNorm, ...]:
    """Activations, pools and batch norms, each the only reader of the one before."""
    import tensorflow as tf

    steps: list[str | BatchNorm] = []
    own = _own_activation(call.layer)
    if own != "linear":
        steps.append(_ACTIVATIONS.get(own, own))
    tensor = call.outputs[0]
    while not trace.is_output(tensor):
        readers = trace.consumers(tensor)
        if len(readers) != 1:
            break
        layer = readers[0].layer
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            steps.append(_batch_norm(layer))
        elif isinstance(layer, tf.keras.layers.MaxPooling2D):
            steps.append(MAX_POOL)
        else:
            kind = _activation(layer)
            if kind is None:
                break
            steps.append(kind)
        tensor = readers[0].outputs[0]
    return tuple(steps)


def _own_activation(layer: Any) -> str:
    return str(getattr(getattr(layer, "activation", None), "__name__", "linear"))


def _activation(layer: Any) -> str | None:
    import tensorflow as tf

    from irnet_keras.layers import Hardtanh

    if isinstance(layer, Hardtanh):
        return "RELU_N1_TO_1"
    if isinstance(layer, tf.keras.layers.ReLU):
        plain = not layer.negative_slope and not layer.threshold
        limits = {None: "RELU", 6.0: "RELU6"}
        limit = None if layer.max_value is None else float(layer.max_value)
        return limits.get(limit) if plain else None
    if isinstance(layer, tf.keras.layers.Activation):
        return _ACTIVATIONS.get(getattr(layer.activation, "__name__", ""))
    return None


def _batch_norm(layer: Any) -> BatchNorm:
    mean = np.asarray(layer.moving_mean, np.float64)
    multiplier = 1 / np.sqrt(np.asarray(layer.moving_variance, np.float64) + layer.epsilon)
    if layer.gamma is not None:
        multiplier = multiplier * np.asarray(layer.gamma, np.float64)
    beta = np.zeros_like(mean) if layer.beta is None else np.asarray(layer.beta, np.float64)
    return BatchNorm(multiplier, mean, beta)
