"""Operators that move values, and reductions."""

from collections.abc import Callable
from math import prod

import numpy as np

from converters.graph.model import Tensor
from converters.untrusted.node import MAX_SIZE, Node, Shape, as_scalar, elements, value_work

_ANY = ("FLOAT32", "FLOAT16", "INT32", "INT64", "INT16", "INT8", "UINT8", "BOOL")
_MAX_SLICE_RANK = 5  # of PAD, SLICE, STRIDED_SLICE


def _moved(node: Node, tensor: Tensor, shape: Shape) -> None:
    """The output has this shape and the input's type."""
    node.require(tensor.dtype in _ANY, f"has a tensor of type {tensor.dtype}")
    node.expect(shape, tensor.dtype)
    node.work(value_work(node.output))


def reshape(node: Node) -> None:
    """A new shape from input 1 or the options; at most one size is -1."""
    node.arity((1, 2))
    source = node.input(0)
    if node.optional(1) is not None:
        node.require(node.input(1).dtype == "INT32", "has a shape that is not INT32")
        new = node.integers(1, len(node.output.shape))
    else:
        options = node.options("Reshape")
        new = [int(options.NewShape(i)) for i in range(options.NewShapeLength())]
        node.require(new, "has no shape")
    unknown = new.count(-1)
    node.require(unknown <= 1 and all(n >= 1 or n == -1 for n in new), f"has the shape {new}")
    rest = prod(n for n in new if n != -1)
    count = elements(source)
    node.require(count % rest == 0 if unknown else count == rest, f"makes {new} of {source.shape}")
    _moved(node, source, tuple(count // rest if n == -1 else n for n in new))


def squeeze(node: Node) -> None:
    """Sizes of 1 left out."""
    node.arity(1)
    source = node.input(0)
    options = node.options("Squeeze", required=False)
    count = 0 if options is None else options.SqueezeDimsLength()
    given = [int(options.SqueezeDims(i)) for i in range(count)]
    axes = node.axes(given, len(source.shape)) if given else []
    axes = axes or [a for a, n in enumerate(source.shape) if n == 1]
    node.require(all(source.shape[a] == 1 for a in axes), f"squeezes {axes} of {source.shape}")
    _moved(node, source, tuple(n for a, n in enumerate(source.shape) if a not in axes))


def expand_dims(node: Node) -> None:
    """A size of 1 put in."""
    node.arity(2)
    source = node.input(0)
    axis = _axis(node, node.integers(1), len(source.shape) + 1)
    _moved(node, source, (*source.shape[:axis], 1, *source.shape[axis:]))


def transpose(node: Node) -> None:
    """Axes in another order."""
    node.arity(2)
    source = node.input(0)
    order = node.integers(1, len(source.shape))
    node.require(sorted(order) == list(range(len(source.shape))), f"has the order {order}")
    _moved(node, source, tuple(source.shape[a] for a in order))


def reverse(node: Node) -> None:
    """Values along axes in reverse."""
    node.arity(2)
    source = node.input(0)
    node.require(node.input(1).dtype == "INT32", "has axes that are not INT32")
    axes = sorted(node.axes(node.integers(1, elements(node.input(1))), len(source.shape)))
    consecutive = list(range(axes[0], axes[0] + len(axes)))
    node.require(axes == consecutive, f"reverses the axes {axes}, which are not neighbours")
    _moved(node, source, source.shape)


def pad(node: Node) -> None:
    """Rows of (before, after) for each axis, none negative."""
    node.arity(2)
    source = node.input(0)
    rows = _paddings(node, source)
    _moved(node, source, tuple(n + a + b for n, (a, b) in zip(source.shape, rows, strict=True)))


def pad_v2(node: Node) -> None:
    """The same with the value to put in."""
    node.arity(3)
    source, value = node.input(0), node.input(2)
    node.require(value.dtype == source.dtype and elements(value) == 1, "has no single pad value")
    if source.dtype in ("INT8", "UINT8"):
        node.dtypes(source, source.dtype)
        node.dtypes(value, source.dtype)
    rows = _paddings(node, source)
    _moved(node, source, tuple(n + a + b for n, (a, b) in zip(source.shape, rows, strict=True)))


def mirror_pad(node: Node) -> None:
    """Mirrored values, no more than there are."""
    node.arity(2)
    source = node.input(0)
    rows = _paddings(node, source)
    mode = node.options("MirrorPad").Mode()
    node.require(mode in (0, 1), f"has mode {mode}")
    node.require(
        all(max(row) <= n - 1 + mode for n, row in zip(source.shape, rows, strict=True)),
        f"mirrors {rows} of {source.shape}",
    )
    _moved(node, source, tuple(n + a + b for n, (a, b) in zip(source.shape, rows, strict=True)))


def _paddings(node: Node, source: Tensor) -> list[tuple[int, int]]:
    node.rank(source, 1, _MAX_SLICE_RANK)
    table, value = node.input(1), node.value(1)
    node.require(
        table.dtype in ("INT32", "INT64") and value.shape == (len(source.shape), 2),
        f"has {table.dtype} paddings of shape {table.shape} for {source.shape}",
    )
    rows = [(int(a), int(b)) for a, b in value]
    node.require(
        all(0 <= n <= MAX_SIZE for row in rows for n in row),
        f"pads by {rows}, accepted: 0 to {MAX_SIZE}",
    )
    if source.dtype in ("INT8", "UINT8", "INT16"):
        node.dtypes(source, source.dtype)  # pads with its zero point
        node.dtypes(node.output, source.dtype)
    return rows


def concatenation(node: Node) -> None:
    """Tensors that differ in one size."""
    node.arity((1, len(node.inputs) or 1))
    options = node.options("Concatenation")
    node.require(options.FusedActivationFunction() == 0, "has an activation")
    first = node.input(0)
    node.rank(first, 1, 5)
    axis = _axis(node, [options.Axis()], len(first.shape))
    total = 0
    for slot in range(len(node.inputs)):
        tensor = node.input(slot)
        node.require(
            tensor.dtype == first.dtype
            and len(tensor.shape) == len(first.shape)
            and tensor.shape[:axis] == first.shape[:axis]
            and tensor.shape[axis + 1 :] == first.shape[axis + 1 :],
            f"joins {tensor.shape} and {first.shape} on axis {axis}",
        )
        if first.dtype in ("INT8", "UINT8"):
            node.dtypes(tensor, first.dtype)
            node.dtypes(node.output, first.dtype)
            node.scale_ratio(tensor, node.output)
        total += tensor.shape[axis]
    _moved(node, first, (*first.shape[:axis], total, *first.shape[axis + 1 :]))


def split(node: Node) -> None:
    """Equal parts; inputs: axis, values."""
    count = node.options("Split").NumSplits()
    node.require(1 <= count == len(node.outputs), f"makes {count} parts as {len(node.outputs)}")
    node.arity(2, count)
    source = node.input(1)
    node.rank(source, 1, 4)
    axis = _axis(node, node.integers(0), len(source.shape))
    node.require(source.shape[axis] % count == 0, f"makes {count} parts of {source.shape}")
    part = (*source.shape[:axis], source.shape[axis] // count, *source.shape[axis + 1 :])
    node.require(source.dtype in _ANY, f"has a tensor of type {source.dtype}")
    for slot in range(count):
        node.expect(part, source.dtype, slot)


def pack(node: Node) -> None:
    """Equal tensors along a new axis."""
    options = node.options("Pack")
    count = len(node.inputs)
    node.arity((1, count or 1))
    node.require(options.ValuesCount() == count, f"packs {options.ValuesCount()} as {count}")
    first = node.input(0)
    node.rank(first, 0, 4)
    for slot in range(count):
        other = node.input(slot)
        node.require((other.shape, other.dtype) == (first.shape, first.dtype), "packs unlike ones")
    axis = _axis(node, [options.Axis()], len(first.shape) + 1)
    _moved(node, first, (*first.shape[:axis], count, *first.shape[axis:]))
    values = node.known(range(count))
    if values is not None:
        node.set_value(np.stack(values, axis))


def unpack(node: Node) -> None:
    """The parts along an axis."""
    options = node.options("Unpack")
    count = options.Num()
    node.require(1 <= count == len(node.outputs), f"makes {count} parts as {len(node.outputs)}")
    node.arity(1, count)
    source = node.input(0)
    node.rank(source, 1, 4)
    axis = _axis(node, [options.Axis()], len(source.shape))
    node.require(source.shape[axis] == count, f"makes {count} parts of {source.shape}")
    node.require(source.dtype in _ANY, f"has a tensor of type {source.dtype}")
    for slot in range(count):
        node.expect((*source.shape[:axis], *source.shape[axis + 1 :]), source.dtype, slot)


def shape_of(node: Node) -> None:
    """The input's shape."""
    node.arity(1)
    source = node.input(0)
    node.require(node.output.dtype in ("INT32", "INT64"), f"makes {node.output.dtype}")
    node.require(source.shape, "has a scalar")
    node.expect((len(source.shape),), node.output.dtype)
    node.set_value(np.array(source.shape, np.int32 if node.output.dtype == "INT32" else np.int64))


def slice_(node: Node) -> None:
    """Begin and size of each axis, inside of the input."""
    node.arity(3)
    source = node.input(0)
    node.rank(source, 1, _MAX_SLICE_RANK)
    begin = node.integers(1, len(source.shape))
    size = node.integers(2, len(source.shape))
    node.require(node.input(1).dtype == node.input(2).dtype, "has begin and size of other types")
    shape = tuple(
        n - b if s == -1 else s for n, b, s in zip(source.shape, begin, size, strict=True)
    )
    node.require(
        all(
            0 <= b < n and s >= 1 and b + s <= n
            for n, b, s in zip(source.shape, begin, shape, strict=True)
        ),
        f"takes {size} from {begin} of {source.shape}",
    )
    _moved(node, source, shape)


def strided_slice(node: Node) -> None:
    """Python's slices, one per axis; masks for open ends and dropped axes."""
    node.arity(4)
    source = node.input(0)
    node.rank(source, 1, _MAX_SLICE_RANK)
    options = node.options("StridedSlice")
    count = as_scalar(node.input(1).shape)
    rank = len(source.shape)
    node.require(count is not None and count <= rank, f"slices with {node.input(1).shape}")
    node.require(all(node.input(i).dtype == "INT32" for i in (1, 2, 3)), "has slices not INT32")
    begin, end, step = (node.integers(i, count) for i in (1, 2, 3))
    node.require(
        not (options.EllipsisMask() or options.NewAxisMask() or options.Offset()),
        "has an ellipsis, a new axis or offsets",
    )
    masks = (options.BeginMask(), options.EndMask(), options.ShrinkAxisMask())
    node.require(all(0 <= m < 1 << rank for m in masks), f"has masks {masks}")
    slices: list[slice | int] = []
    for axis, (b, e, s) in enumerate(zip(begin, end, step, strict=True)):
        bit = 1 << axis
        node.require(s != 0 and abs(s) <= MAX_SIZE, f"has the stride {s}")
        if options.ShrinkAxisMask() & bit:
            size = source.shape[axis]
            node.require(s == 1 and -size <= b < size, f"takes {b} of {size}")
            node.require(not options.BeginMask() & bit, "drops an axis with an open begin")
            slices.append(b)
        else:
            open_begin, open_end = options.BeginMask() & bit, options.EndMask() & bit
            slices.append(slice(None if open_begin else b, None if open_end else e, s))
    # strides 0: the shape of a slice without its values
    shape = np.broadcast_to(np.int8(0), source.shape)[tuple(slices)].shape
    node.require(all(n >= 1 for n in shape), f"takes nothing of {source.shape}")
    _moved(node, source, shape)
    values = node.known([0])
    if values is not None and values[0].shape == source.shape:
        node.set_value(np.asarray(values[0][tuple(slices)]))


def gather(node: Node) -> None:
    """Values at constant places."""
    node.arity(2)
    source, index = node.input(0), node.input(1)
    options = node.options("Gather", required=False)
    axis = 0 if options is None else _axis(node, [options.Axis()], len(source.shape))
    node.require(options is None or options.BatchDims() == 0, "has batch dimensions")
    node.rank(source, 1, 4)
    node.require(index.dtype in ("INT32", "INT64"), f"has {index.dtype} places")
    node.rank(index, 0, 2)
    size = source.shape[axis]
    places = node.value(1)
    node.require(
        bool(((places >= 0) & (places < size)).all()), f"takes places outside of 0 to {size - 1}"
    )
    _moved(node, source, (*source.shape[:axis], *index.shape, *source.shape[axis + 1 :]))


def depth_to_space(node: Node) -> None:
    """Channels to pixels."""
    node.arity(1)
    source = node.input(0)
    block = node.options("DepthToSpace").BlockSize()
    node.rank(source, 4, 4)
    node.sizes(block=block)
    batch, height, width, channels = source.shape
    node.require(channels % block**2 == 0, f"has {channels} channels for blocks of {block}")
    _moved(node, source, (batch, height * block, width * block, channels // block**2))


def space_to_depth(node: Node) -> None:
    """Pixels to channels."""
    node.arity(1)
    source = node.input(0)
    block = node.options("SpaceToDepth").BlockSize()
    node.rank(source, 4, 4)
    node.sizes(block=block)
    batch, height, width, channels = source.shape
    node.require(height % block == width % block == 0, f"has {source.shape} for blocks of {block}")
    _moved(node, source, (batch, height // block, width // block, channels * block**2))


def resize(options: str) -> Callable[[Node], None]:
    """Images to another size, input 1."""

    def rule(node: Node) -> None:
        node.arity(2)
        source = node.input(0)
        node.require(source.dtype in ("FLOAT32", "INT8", "UINT8"), f"has {source.dtype}")
        node.rank(source, 4, 4)
        node.require(node.input(1).dtype == "INT32", "has a size that is not INT32")
        height, width = node.integers(1, 2)
        node.sizes(height=height, width=width)
        table = node.options(options, required=False)
        node.require(
            table is None or not (table.AlignCorners() and table.HalfPixelCenters()),
            "aligns corners and halves pixels",
        )
        _moved(node, source, (source.shape[0], height, width, source.shape[3]))

    return rule


def reduction(*dtypes: str) -> Callable[[Node], None]:
    """Mean, sum, maximum or minimum over constant axes."""

    def rule(node: Node) -> None:
        node.arity(2)
        source = node.input(0)
        options = node.options("Reducer", required=False)
        node.dtypes(source, *dtypes)
        node.dtypes(node.output, source.dtype)
        node.rank(source, 1, 4)
        node.require(node.input(1).dtype == "INT32", "has axes that are not INT32")
        axes = node.axes(node.integers(1), len(source.shape))
        if options is not None and options.KeepDims():
            shape = tuple(1 if a in axes else n for a, n in enumerate(source.shape))
        else:
            shape = tuple(n for a, n in enumerate(source.shape) if a not in axes)
        node.expect(shape, source.dtype)
        node.scale_ratio(source, node.output)
        node.work(value_work(source))

    return rule


def arg_extreme(options: str) -> Callable[[Node], None]:
    """Place of the largest or smallest value along an axis."""

    def rule(node: Node) -> None:
        node.arity(2)
        source = node.input(0)
        node.options(options, required=False)
        node.dtypes(source, "FLOAT32", "INT32", "INT8", "UINT8")
        node.rank(source, 1, 4)
        axis = _axis(node, node.integers(1), len(source.shape))
        node.require(node.output.dtype in ("INT32", "INT64"), f"makes {node.output.dtype}")
        node.expect((*source.shape[:axis], *source.shape[axis + 1 :]), node.output.dtype)
        node.work(value_work(source))

    return rule


def _axis(node: Node, values: list[int], rank: int) -> int:
    axis = as_scalar(values)
    if axis is None or not -rank <= axis < rank:
        raise node.fail(f"has the axis {values} of {rank} dimensions")
    return axis % rank
