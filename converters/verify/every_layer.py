"""Every layer of a Keras model against a file, each on the values that the file itself had.

The model is called on the images. Behind each layer the tensor of the file that holds its output
is looked up by value and, if there is one, takes the output's place: the next layer computes from
what the file computed, so that a tolerance covers the roundings of one layer only and no flipped
sign spreads. Layers that the converter merged with others have no tensor of their own; they are
compared where the next one is. Binary convolutions read the file's bits, which must be the signs
of what Keras has there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.graph import Graph, pack_bits, unpack_signs
from converters.lce.binary_convs import quantized_input
from converters.lce.keras_trace import LayerCall, trace_model
from converters.lce.matching import Match, Matching
from converters.runtimes.watching import Values
from converters.verify.blame import WEIGHTED, Mismatch, blame, lacks_offset
from converters.verify.counterparts import (
    Counterpart,
    Counterparts,
    Floats,
    largest_difference,
)
from converters.verify.flips import FLOAT_OPS_TOLERANCE
from converters.verify.layer_steps import (
    Step,
    before_sign,
    is_constant,
    largest,
    limits,
    rounding_scale,
)
from converters.verify.layers import inverted_inputs

# Of the spread: a wrong filter, weight or border is far below, another layer's values far above.
_NEAR = 0.3


@dataclass(frozen=True)
class LayerCheck:
    """One Keras layer that agrees with the file.

    Attributes:
        layer: its name; a second call ends in ``#2``.
        through: where it was compared: a tensor of the file, or the signs a layer reads.
        error: largest difference there.
        tolerance: allowed.
    """

    layer: str
    through: str
    error: float
    tolerance: float


@dataclass
class Walk:
    """Result of :func:`walk_layers`.

    Attributes:
        checked: layers that agree, in order.
        mismatches: in order.
        not_compared: name and reason of layers about which nothing was learnt.
        groups: for a binary convolution, the layers it was compared with.
    """

    checked: list[LayerCheck] = field(default_factory=list)
    mismatches: list[Mismatch] = field(default_factory=list)
    not_compared: list[tuple[str, str]] = field(default_factory=list)
    groups: dict[str, list[str]] = field(default_factory=dict)


def walk_layers(
    model: Any,
    graph: Graph,
    matching: Matching,
    images: Floats,
    values: Values,
    outputs: Sequence[NDArray[Any]],
    names: Sequence[str],
) -> Walk:
    """Call the model and compare layer by layer.

    Args:
        model: Keras model with one input.
        graph: the file.
        matching: binary convolutions and their operators.
        images: float32 ``(images, height, width, channels)``.
        values: all of :func:`converters.verify.counterparts.tensors_to_compare`, for these images.
        outputs: the file's outputs, computed while nobody watched other tensors.
        names: of the images, for messages.
    """
    walker = _Walker(graph, matching, values, names)
    trace = trace_model(model, images, None, walker.before, walker.behind)
    walker.finish(trace.outputs, outputs)
    return walker.walk


class _Walker:
    def __init__(
        self, graph: Graph, matching: Matching, values: Values, names: Sequence[str]
    ) -> None:
        self.walk = Walk()
        self._values = values
        self._names = names
        self._graph = graph
        self._outputs = graph.outputs
        self._file = Counterparts(graph, values)
        self._inverted = inverted_inputs(graph, matching)
        self._matches: dict[int, list[Match]] = {}
        for match in matching.matches:
            self._matches.setdefault(id(match.conv.layer), []).append(match)
        self._uses: dict[int, int] = {}
        self._steps: dict[int, Step] = {}
        self._every: list[Step] = []
        self._agreed: set[int] = set()  # tensors of the file

    # -- what the trace calls ------------------------------------------------------------------

    def before(self, layer: Any, tensor: Any) -> Any:
        """A layer's input; for binary convolutions the file's bits."""
        import tensorflow as tf

        waiting = self._matches.get(id(layer))
        if not waiting:
            return tensor
        match = waiting.pop(0)
        words = self._values.get(match.op.inputs[0])
        channels = match.conv.channels_in
        if words is None or (*words.shape[:3], channels) != tuple(tensor.shape):
            return tensor  # e.g. padding that the operator does itself
        mask = self._inverted.get(match.op.index)
        if mask is not None:
            words = words ^ pack_bits(mask)
        signs = unpack_signs(words, channels).astype(np.float32)
        self._compare_signs(match, tensor, signs)
        return tf.constant(signs)

    def behind(self, call: LayerCall) -> tuple[Any, ...]:
        """A layer's outputs; the file's where it has them."""
        sources = [self._steps[id(t)] for t in call.inputs if id(t) in self._steps]
        inner = [self._steps[id(t)] for c in call.inner for t in c.outputs if id(t) in self._steps]
        if call.inner and any(id(t) in self._steps for t in call.outputs):
            return call.outputs  # nothing of its own
        name = self._name(call)
        return tuple(self._output(call, name, tensor, sources + inner) for tensor in call.outputs)

    def finish(self, tensors: Sequence[Any], outputs: Sequence[NDArray[Any]]) -> None:
        """The model's outputs, and what is left."""
        if len(tensors) != len(outputs):
            text = f"the file has {len(outputs)} outputs, the model {len(tensors)}"
            self.walk.mismatches.append(Mismatch("the outputs", text))
            return
        for tensor, index, found in zip(tensors, self._outputs, outputs, strict=True):
            self._compare_output(tensor, index, found)
        if not self.walk.mismatches:
            self.walk.not_compared += [
                (step.name, "no tensor of the file and no later layer shows its output")
                for step in self._every
                if step.is_open
            ]

    # -- comparisons ---------------------------------------------------------------------------

    def _compare_output(self, tensor: Any, index: int, found: NDArray[Any]) -> None:
        step = self._steps.get(id(tensor))
        group = self._group(step) if step else []
        values = np.asarray(tensor, np.float32).reshape(len(tensor), -1)
        tolerance = FLOAT_OPS_TOLERANCE * (step.scale if step else largest(values))
        worst = None
        if found[0].size == values.shape[1]:
            worst = largest_difference(found.reshape(len(found), -1).astype(np.float32), values)
            if worst.error <= tolerance:
                if is_constant(values):
                    reason = f"the model's outputs are all {values.flat[0]:g} on these images"
                    self.walk.not_compared += [(step.name, reason) for step in group]
                self._close(group, "the model's output", worst.error, tolerance, index)
                return
        self._name_group(group)
        mismatch = blame(group, self._candidates(index), self._names)
        if mismatch is None:
            text = f"the file's output has {found[0].size} values, Keras's {values.shape[1]}"
            if worst is not None:
                text = (
                    f"the file's output differs from Keras's by {worst.error:.3g} "
                    f"({tolerance:.2g} allowed) on {self._names[worst.image]}"
                )
            if group:
                text += f"; layers from the last that agrees: {', '.join(s.name for s in group)}"
            mismatch = Mismatch(step.name if step else "the output", text)
        self.walk.mismatches.append(mismatch)

    def _output(self, call: LayerCall, name: str, tensor: Any, sources: list[Step]) -> Any:
        import tensorflow as tf

        count = len(self._names)
        values: Floats | None = None
        if tf.is_tensor(tensor) and tensor.dtype == tf.float32 and tensor.shape[:1] == [count]:
            values = np.asarray(tensor).reshape(count, -1)
        step = Step(name, call.layer, values, 0.0, True, sources, (tensor,))
        if not call.inner:
            self._every.append(step)
        self._steps[id(tensor)] = step
        if values is None or not values.size:
            return tensor
        step.scale = rounding_scale(values, sources)
        tolerance = FLOAT_OPS_TOLERANCE * step.scale
        # (values that are all equal would agree with much that is wrong)
        match = None if is_constant(values) else self._file.nearest(values, tolerance)
        if match is None:
            return tensor
        found, difference = match
        self._agreed.add(found.tensor.index)
        group = self._group(step)
        step.is_open = False
        allowed = tolerance + found.step
        through, error = found.describe(), difference.error
        others = [s for s in group if s is not step]
        self._close(others, through, error, allowed, found.tensor.index)
        self._note([step], through, error, allowed)
        self._name_group(group)
        step.values = found.values
        own = tf.constant(found.values.reshape(tensor.shape))
        step.tensors = (tensor, own)
        self._steps[id(own)] = step
        return own

    def _compare_signs(self, match: Match, tensor: Any, signs: Floats) -> None:
        """Bits against the signs of Keras's values, which may differ where these are near 0."""
        layer = match.conv.layer
        step = self._steps.get(id(tensor))
        group = self._group(step) if step else []
        flipped = (np.asarray(quantized_input(layer, tensor)) < 0) != (signs < 0)
        tolerance = 0.0
        through = f"the signs that {match.conv.name} reads"
        if flipped.any() and group:
            source = before_sign(group[-1] if step is None else step)
            value = np.asarray(tensor) if source.values is None else source.values
            tolerance = FLOAT_OPS_TOLERANCE * source.scale
            value = value.reshape(tensor.shape)
            low, high = limits(value)
            for moved in (value - np.float32(tolerance), value + np.float32(tolerance)):
                moved = np.clip(moved, low, high)
                flipped &= (np.asarray(quantized_input(layer, moved)) < 0) != (signs < 0)
        if not flipped.any():
            self._close(group, through, 0.0, tolerance, match.op.inputs[0])
            return
        self._name_group(group)
        sizes = np.where(flipped, np.abs(np.asarray(tensor)), 0)
        places = np.unravel_index(int(np.argmax(flipped * (1 + sizes))), sizes.shape)
        worst = tuple(int(i) for i in places)
        names = ", ".join(s.name for s in group)
        self.walk.mismatches.append(
            blame(group, self._candidates(match.op.inputs[0]), self._names)
            or Mismatch(
                group[-1].name if group else match.conv.name,
                f"{int(flipped.sum())} of {flipped.size} signs that layer {match.conv.name} reads "
                f"differ from Keras's, of values up to {float(sizes[worst]):.3g} "
                f"({tolerance:.2g} allowed), at {worst[1:]} of "
                f"{self._names[worst[0]]}" + (f"; between the two: {names}" if names else ""),
            )
        )
        for open_step in group:
            open_step.is_open = False

    def _candidates(self, tensor: int) -> list[Counterpart]:
        """A tensor and what it was computed from, those with weights first."""
        merged = self._file.merged_into(tensor, self._agreed)
        own = [c for c in self._file.all if c.tensor.index == tensor and tensor not in self._agreed]
        return sorted([*merged, *own], key=lambda found: found.op.name not in WEIGHTED)

    # -- bookkeeping ---------------------------------------------------------------------------

    def _name(self, call: LayerCall) -> str:
        self._uses[id(call.layer)] = use = self._uses.get(id(call.layer), 0) + 1
        return str(call.layer.name) if use == 1 else f"{call.layer.name}#{use}"

    def _group(self, step: Step) -> list[Step]:
        """A call and all before it that nothing in the file has agreed with yet, in order."""
        found: dict[int, Step] = {}
        to_do = [step]
        while to_do:
            current = to_do.pop()
            if current.is_open and id(current) not in found:
                found[id(current)] = current
                to_do.extend(current.sources)
        every = [s for s in self._every if id(s) in found]
        return every if step in every or not step.is_open else [*every, step]

    def _close(
        self, group: list[Step], through: str, error: float, tolerance: float, tensor: int
    ) -> None:
        """Calls without a tensor of their own agree where a tensor behind them does.

        Unless the file has a tensor on the way that is nearly theirs: an error too small to be
        seen further on (a mean over many pixels, a clip, a sign).
        """
        self._name_group(group)
        merged = self._file.merged_into(tensor, self._agreed) if group else []
        # (a factor of the Keras layer may have gone into a later convolution, not back into one)
        weighted = [
            found
            for found in merged
            if found.op.name in WEIGHTED and not lacks_offset(self._graph, found, group)
        ]
        mismatch = blame(group, weighted, self._names, _NEAR)
        if mismatch is None:
            self._note(group, through, error, tolerance)
        else:
            self.walk.mismatches.append(mismatch)
        for step in group:
            step.is_open = False

    def _note(self, group: list[Step], through: str, error: float, tolerance: float) -> None:
        names = [step.name for step in group]
        self.walk.checked += [LayerCheck(name, through, error, tolerance) for name in names]

    def _name_group(self, group: list[Step]) -> None:
        names = [step.name for step in group]
        self.walk.groups.update(dict.fromkeys(names, names))
