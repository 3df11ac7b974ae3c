"""The TensorFlow graph that the converter sees, with numbers.

Checks look at this graph and not at Keras layers, so that what a custom layer, a Lambda or a bare
TensorFlow function does is found as well.
"""

import re
from collections.abc import Iterable
from typing import Any

from numpy.typing import NDArray

from converters.lce.keras_trace import probe_images

# Ops that hand their input on.
_TRANSPARENT = (
    "Identity", "IdentityN", "StopGradient", "PreventGradient", "CheckNumerics", "Snapshot",
    "ReadVariableOp",
)  # fmt: skip
MAX_STEPS = 10_000


class TFGraph:
    """A model's inference graph, variables frozen to constants.

    A tensor is named as in TensorFlow without ``:0`` (``"model/conv/Conv2D"``, ``"x:1"``).
    """

    def __init__(self, model: Any) -> None:
        """Trace and freeze the model.

        Args:
            model: Keras model with one input; only its batch may be unknown.
        """
        import tensorflow as tf
        from tensorflow.python.framework.convert_to_constants import (
            convert_variables_to_constants_v2,
        )

        self._image = probe_images(model)
        (spec,) = (tf.TensorSpec(t.shape, t.dtype) for t in model.inputs)
        function = tf.function(lambda image: model(image, training=False), autograph=False)
        frozen = convert_variables_to_constants_v2(
            function.get_concrete_function(spec), lower_control_flow=False
        )
        self._graph = frozen.graph
        self._input = frozen.inputs[0].name
        definition = self._graph.as_graph_def()
        self.nodes: dict[str, Any] = {node.name: node for node in definition.node}
        self._outputs = {self._key(t.name) for t in frozen.outputs}
        self._readers: dict[str, list[Any]] = {}
        for node in definition.node:
            for name in self.inputs(node):
                self._readers.setdefault(name, []).append(node)
        self._layers = {layer.name for layer in model._flatten_layers()}
        self._varying = self._depends_on_input()
        self._session: Any = None
        self._known: dict[str, NDArray[Any]] = {}
        self._found_shapes: dict[str, tuple[int, ...]] | None = None

    def inputs(self, node: Any) -> list[str]:
        """Tensors a node reads."""
        return [self._key(name) for name in node.input if not name.startswith("^")]

    def resolve(self, tensor: str) -> str:
        """The tensor behind nodes that only hand it on."""
        for _ in range(MAX_STEPS):
            name, _, port = tensor.partition(":")
            node = self.nodes.get(name)
            if node is None or node.op not in _TRANSPARENT or not self.inputs(node):
                return tensor
            tensor = self.inputs(node)[int(port or 0) if node.op == "IdentityN" else 0]
        return tensor

    def producer(self, tensor: str) -> Any:
        """The node behind a tensor, past nodes that only hand it on."""
        return self.nodes[self.resolve(tensor).partition(":")[0]]

    def consumers(self, tensor: str) -> list[Any]:
        """The nodes that read a tensor, past nodes that only hand it on."""
        found: dict[str, Any] = {}
        to_do = [self.resolve(tensor)]
        while to_do:
            read = to_do.pop()
            for node in self._readers.get(read, []):
                if node.op not in _TRANSPARENT:
                    found[node.name] = node
                elif node.op == "IdentityN":  # of a custom gradient: result and arguments
                    ports = [i for i, name in enumerate(self.inputs(node)) if name == read]
                    to_do.extend(f"{node.name}:{i}" if i else node.name for i in ports)
                else:
                    to_do.append(node.name)
        return list(found.values())

    def is_output(self, tensor: str) -> bool:
        """Whether the model returns a tensor, also past nodes that only hand it on."""
        return any(self.resolve(out) == self.resolve(tensor) for out in self._outputs)

    def is_constant(self, tensor: str) -> bool:
        """Whether a tensor does not depend on the image."""
        return tensor.partition(":")[0] not in self._varying

    def shape(self, tensor: str) -> tuple[int | None, ...] | None:
        """Static shape, None for unknown sizes; None if not even the rank is known."""
        found = self._graph.get_tensor_by_name(self._name(tensor)).shape
        return None if found.rank is None else tuple(found.as_list())

    def image_size(self, tensor: str) -> tuple[int, int] | None:
        """Height and width; None of what is no image (rank 4).

        Behind a grouped convolution, which Keras hides in a compiled function, the graph states no
        sizes: they are those for one image.
        """
        shape = self.shape(tensor)
        if shape is None or (len(shape) == 4 and None in shape[1:3]):
            shape = self._unstated_shapes().get(tensor, ())
        if len(shape) != 4 or shape[1] is None or shape[2] is None:
            return None
        return shape[1], shape[2]

    def dtype(self, tensor: str) -> str:
        """Type, e.g. ``"float32"``."""
        return str(self._graph.get_tensor_by_name(self._name(tensor)).dtype.name)

    def values(self, tensors: Iterable[str]) -> dict[str, NDArray[Any]]:
        """What tensors hold for one fixed random image."""
        import tensorflow as tf

        wanted = {tensor: self.resolve(tensor) for tensor in tensors}
        missing = [t for t in dict.fromkeys(wanted.values()) if t not in self._known]
        computed = []
        for tensor in missing:
            node = self.nodes.get(tensor)
            if node is not None and node.op == "Const":  # saves starting a session
                self._known[tensor] = tf.make_ndarray(node.attr["value"].tensor)
            else:
                computed.append(tensor)
        if computed:
            found = self._run([self._name(t) for t in computed])
            self._known.update(zip(computed, found, strict=True))
        return {tensor: self._known[source] for tensor, source in wanted.items()}

    def ancestors(self, tensor: str) -> list[Any]:
        """All nodes a tensor is computed from."""
        seen: dict[str, Any] = {}
        to_do = [tensor]
        while to_do:
            name = to_do.pop().partition(":")[0]
            if name not in seen and name in self.nodes:
                seen[name] = self.nodes[name]
                to_do.extend(self.inputs(self.nodes[name]))
        return list(seen.values())

    def layer(self, node: Any) -> str:
        """Name of the Keras layer a node belongs to; the node's own name where none is known."""
        for part in reversed(node.name.split("/")):
            for name in (part, re.sub(r"_\d+$", "", part)):  # a second call adds a number
                if name in self._layers:
                    return name
        return str(node.name)

    def _unstated_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes, for one image, of all float tensors whose rank or sizes the graph leaves open."""
        import tensorflow as tf

        if self._found_shapes is None:
            tensors = [t for name in self.nodes for t in self._tensors_of(name)]
            unstated = [
                t
                for t in tensors
                if self.dtype(t) == "float32" and None in (self.shape(t) or (None, None))[1:]
            ]
            with self._graph.as_default():
                shapes = [
                    tf.raw_ops.Shape(input=self._graph.get_tensor_by_name(self._name(t)))
                    for t in unstated
                ]
            found = self._run(shapes) if shapes else []
            self._found_shapes = {
                t: tuple(int(n) for n in shape) for t, shape in zip(unstated, found, strict=True)
            }
        return self._found_shapes

    def _run(self, fetches: list[Any]) -> list[NDArray[Any]]:
        """Compute tensors for the one image."""
        import tensorflow as tf

        if self._session is None:
            self._session = tf.compat.v1.Session(graph=self._graph, config=_unoptimized())
        return list(self._session.run(fetches, {self._input: self._image}))

    def _depends_on_input(self) -> set[str]:
        found: set[str] = set()
        to_do = [self._key(self._input)]
        while to_do:
            name = to_do.pop().partition(":")[0]
            if name not in found:
                found.add(name)
                to_do.extend(
                    reader.name
                    for tensor in self._tensors_of(name)
                    for reader in self._readers.get(tensor, [])
                )
        return found

    def _tensors_of(self, name: str) -> list[str]:
        count = len(self._graph.get_operation_by_name(name).outputs)
        return [name if i == 0 else f"{name}:{i}" for i in range(count)]

    @staticmethod
    def _key(name: str) -> str:
        return name.removesuffix(":0")

    @staticmethod
    def _name(tensor: str) -> str:
        return tensor if ":" in tensor else f"{tensor}:0"


def _unoptimized() -> Any:
    """Session options: the graph runs once, and folding its kernels costs more than that.

    On Bi-Real ResNet-18 a third of pre-flight's time and 650 MB.
    """
    import tensorflow as tf

    level = tf.compat.v1.OptimizerOptions.L0
    config = tf.compat.v1.ConfigProto()
    config.graph_options.optimizer_options.opt_level = level
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    return config
