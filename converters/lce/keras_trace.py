"""What really runs when a Keras model is called: every layer call with its tensors.

Nested models, shared layers and layers inside custom layers appear as the calls they make,
which is how the converter sees them too.
"""

import contextlib
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from irnet_keras.errors import CheckFailed, UsageError

PROBE_SEED = 0
MAX_INPUT_VALUES = 1 << 24  # of one image; the networks' own tensors are several times as large


@dataclass(frozen=True)
class LayerCall:
    """One call of one layer; tensors are TensorFlow's eager tensors.

    Attributes:
        layer: the Keras layer.
        inputs: what it was given.
        outputs: what it returned, flat.
        inner: layer calls that it made itself; none of a layer that is recorded.
    """

    layer: Any
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    inner: tuple["LayerCall", ...] = ()


# Given the call as it ended, the tensors that take the place of its outputs.
Replace = Callable[[LayerCall], tuple[Any, ...]]
# Given a layer and its first input, the input it gets instead.
Substitute = Callable[[Any, Any], Any]


@dataclass
class Trace:
    """All innermost layer calls of one model call, in order of completion."""

    calls: list[LayerCall] = field(default_factory=list)
    outputs: tuple[Any, ...] = ()
    failed_in: str | None = None  # the innermost layer that raised an error

    def consumers(self, tensor: Any) -> list[LayerCall]:
        """Calls that read exactly this tensor object."""
        return [c for c in self.calls if any(t is tensor for t in c.inputs)]

    def is_output(self, tensor: Any) -> bool:
        """Whether the model returns this tensor."""
        return any(t is tensor for t in self.outputs)


def input_shape(model: Any) -> tuple[int, ...]:
    """Shape of one image, ``(height, width, channels)``.

    Raises:
        UsageError: not exactly one input, not float32, a fixed batch other than 1, an unknown
            dimension, or more than :data:`MAX_INPUT_VALUES` values.
    """
    inputs = list(model.inputs or ())
    if len(inputs) != 1:
        raise UsageError(f"the model must have exactly one input, it has {len(inputs)}")
    dtype, batch, shape = inputs[0].dtype.name, inputs[0].shape[0], tuple(inputs[0].shape[1:])
    if dtype != "float32":
        raise UsageError(
            f"the model's input must be float32, got {dtype}: build it with a float32 Input and "
            "convert numbers outside of the model"
        )
    if batch not in (None, 1):
        raise UsageError(
            f"the model's batch must be open or 1, got {batch}: build its Input without a batch "
            "size"
        )
    if any(n is None for n in shape):
        raise UsageError(f"the model's input shape {shape} has an unknown dimension")
    values = math.prod(shape)
    if not 1 <= values <= MAX_INPUT_VALUES:
        raise UsageError(
            f"the model's input shape {shape} has {values:,} values, accepted: 1 to "
            f"{MAX_INPUT_VALUES:,}"
        )
    return tuple(int(n) for n in shape)


def probe_images(model: Any) -> NDArray[np.float32]:
    """One fixed random image, shape ``(1, *input_shape)``.

    Raises:
        UsageError: as for :func:`input_shape`.
    """
    rng = np.random.default_rng(PROBE_SEED)
    return rng.standard_normal((1, *input_shape(model))).astype(np.float32)


def trace_model(
    model: Any,
    images: NDArray[np.float32],
    wanted: Callable[[Any], bool] | None = None,
    substitute: Substitute | None = None,
    replace: Replace | None = None,
) -> Trace:
    """Call the model in inference mode and record its layers.

    Args:
        model: built Keras model with one input.
        images: float32, shape ``(batch, *input_shape)``.
        wanted: records only calls of layers for which this is true (all by default); keeps
            memory small on large batches.
        substitute: called before each call of a wanted layer; what it returns replaces the
            layer's input. The trace keeps the input the network had computed.
        replace: called behind each call of a wanted layer, also of those that only call others;
            what it returns replaces the outputs.

    Raises:
        CheckFailed: TensorFlow cannot compute the model on these images.
    """
    import tensorflow as tf

    layers = [
        layer
        for layer in model._flatten_layers(include_self=False)
        if not isinstance(layer, tf.keras.Model)
    ]
    trace = Trace()
    with _recording(layers, trace, wanted or (lambda layer: True), substitute, replace):
        try:
            trace.outputs = tuple(tf.nest.flatten(model(tf.constant(images), training=False)))
        except tf.errors.OpError as error:
            where = f"layer {trace.failed_in}: " if trace.failed_in else ""
            raise CheckFailed(
                f"the model does not run on float32 images: {where}{_reason(error)}"
            ) from error
    return trace


def _reason(error: Any) -> str:
    """What TensorFlow says, without Keras's account of the call around it, in one line."""
    said = re.split(r"\[\[|Call arguments received", str(error.message))[0]
    said = re.sub(r"^Exception encountered .*|\{\{.*?\}\}| \[Op:.*", "", said).strip()
    if said.startswith("Graph execution error"):  # a list of calls, then the reason
        said = said.splitlines()[-1]
    return " ".join(said.split()) or type(error).__name__


@contextlib.contextmanager
def _recording(
    layers: list[Any],
    trace: Trace,
    wanted: Callable[[Any], bool],
    substitute: Substitute | None,
    replace: Replace | None,
) -> Iterator[None]:
    import tensorflow as tf

    depth_of_call: list[int] = []  # per open call, how many calls it has made
    open_units: list[Any] = []  # of these the opaque ones

    def recorder(layer: Any, original: Callable[..., Any]) -> Callable[..., Any]:
        # A quantized layer calls its quantizers; the layer is the unit, not they.
        opaque = hasattr(layer, "kernel_quantizer") or hasattr(layer, "depthwise_quantizer")

        def call(*args: Any, **kwargs: Any) -> Any:
            if depth_of_call:
                depth_of_call[-1] += 1
            depth_of_call.append(0)
            before = len(trace.calls)
            part_of_unit = bool(open_units)
            open_units.extend([layer] * opaque)
            try:
                if substitute and args and not part_of_unit and wanted(layer):
                    result = original(substitute(layer, args[0]), *args[1:], **kwargs)
                else:
                    result = original(*args, **kwargs)
            except Exception:
                trace.failed_in = trace.failed_in or str(layer.name)
                raise
            finally:
                inner = depth_of_call.pop()
                if opaque:
                    open_units.pop()
            if part_of_unit or not wanted(layer):
                return result
            recorded = opaque or not inner
            tensors = tuple(t for t in tf.nest.flatten((args, kwargs)) if tf.is_tensor(t))
            outputs = tuple(tf.nest.flatten(result))
            if replace:
                made = () if recorded else tuple(trace.calls[before:])
                outputs = replace(LayerCall(layer, tensors, outputs, made))
                result = tf.nest.pack_sequence_as(result, outputs)
            if recorded:
                trace.calls.append(LayerCall(layer, tensors, outputs))
            return result

        return call

    previous = [(layer, layer.__dict__.get("call")) for layer in layers]
    try:
        for layer in layers:
            layer.call = recorder(layer, layer.call)
        yield
    finally:
        for layer, original in previous:
            if original is not None:
                layer.call = original
            elif "call" in layer.__dict__:
                del layer.call
