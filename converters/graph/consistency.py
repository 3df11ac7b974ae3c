"""Checks of a graph that is already readable: indices, data flow, shapes of binary convolutions.

All raise :class:`irnet_keras.errors.UsageError`.
"""

from converters.graph.lce_ops import BconvOptions
from converters.graph.model import DTYPES, Graph, Op
from irnet_keras.errors import UsageError


def check_indices(graph: Graph) -> None:
    """Every tensor index exists; -1 only stands for an absent operator input."""
    count = len(graph.tensors)
    for what, indices, lowest in [
        ("graph inputs", graph.inputs, 0),
        ("graph outputs", graph.outputs, 0),
        *((f"inputs of operator {op.index}", op.inputs, -1) for op in graph.ops),
        *((f"outputs of operator {op.index}", op.outputs, 0) for op in graph.ops),
    ]:
        if any(not lowest <= i < count for i in indices):
            raise UsageError(f"damaged .tflite file: {what} {indices} exceed {count} tensors")
    if not graph.inputs or not graph.outputs:
        raise UsageError("damaged .tflite file: the graph has no inputs or no outputs")


def check_dataflow(graph: Graph, variable: list[bool]) -> None:
    """Every tensor is written at most once and only read afterwards."""
    ready = {
        t.index for t in graph.tensors if t.data is not None or variable[t.index] or 0 in t.shape
    }
    ready |= {t.index for t in graph.tensors if t.dtype not in DTYPES}
    ready.update(graph.inputs)
    written: set[int] = set(graph.inputs)
    for op in graph.ops:
        if any(i != -1 and i not in ready for i in op.inputs):
            raise UsageError(
                f"damaged .tflite file: operator {op.index} ({op.name!r}) reads a tensor "
                "that nothing has written"
            )
        for output in op.outputs:
            if output in written or graph.tensors[output].data is not None:
                raise UsageError(
                    f"damaged .tflite file: operator {op.index} ({op.name!r}) writes tensor "
                    f"{output} again"
                )
        written.update(op.outputs)
        ready.update(op.outputs)
    if any(i not in ready for i in graph.outputs):
        raise UsageError("damaged .tflite file: a graph output is never written")


def check_bconv(graph: Graph, op: Op) -> None:
    """Shapes LCE's kernel relies on."""
    where = f"damaged .tflite file: operator {op.index} ({op.name!r})"
    options = op.options
    if (
        not isinstance(options, BconvOptions)
        or len(op.inputs) != 5
        or len(op.outputs) != 1
        or -1 in op.inputs[:2]
    ):
        raise UsageError(f"{where} needs 5 input slots, input and filter present, and 1 output")
    source, kernel = (graph.tensors[i] for i in op.inputs[:2])
    target = graph.tensors[op.outputs[0]]
    if kernel.data is None or kernel.dtype != "INT32" or len(kernel.shape) != 4:
        raise UsageError(f"{where} has no constant packed filter of rank 4")
    if source.dtype != "INT32" or len(source.shape) != 4 or len(target.shape) != 4:
        raise UsageError(f"{where} has no packed input of rank 4")
    words = -(-options.channels_in // 32)
    if source.shape[3] != words or words % max(kernel.shape[3], 1):
        raise UsageError(f"{where} has {options.channels_in} channels in {source.shape[3]} words")
    filters = kernel.shape[0]
    bitpacked = target.dtype == "INT32"
    for slot in (4,) if bitpacked else (2, 3):
        index = op.inputs[slot]
        wanted = "INT32" if slot == 4 else "FLOAT32"
        if index == -1 or graph.tensors[index].data is None:
            raise UsageError(f"{where} lacks constant input {slot}")
        if graph.tensors[index].shape != (filters,) or graph.tensors[index].dtype != wanted:
            raise UsageError(f"{where}: input {slot} is not {wanted} of shape ({filters},)")
    if target.shape[3] != (-(-filters // 32) if bitpacked else filters):
        raise UsageError(f"{where}: output shape {target.shape} does not fit {filters} filters")
