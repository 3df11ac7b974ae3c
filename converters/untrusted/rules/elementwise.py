"""Operators that work value by value."""

from collections.abc import Callable
from math import isfinite

from converters.untrusted.node import MAX_PRODUCT, Node, broadcast, value_work

Rule = Callable[[Node], None]
QUANTIZED = ("INT8", "UINT8")


def arithmetic(options: str, *dtypes: str) -> Rule:
    """Two inputs that broadcast, one type; ``options`` may name a fused activation."""

    def rule(node: Node) -> None:
        node.arity(2)
        first, second = node.input(0), node.input(1)
        node.dtypes(first, *dtypes)
        node.dtypes(second, first.dtype)
        node.dtypes(node.output, first.dtype)
        table = node.options(options, required=False)
        if hasattr(table, "FusedActivationFunction"):
            node.activation(table)
        shape = broadcast(node, first, second)
        node.expect(shape, first.dtype)
        node.scale_ratio(first, node.output)
        node.scale_ratio(second, node.output)
        node.work(value_work(node.output))

    return rule


def comparison(options: str) -> Rule:
    """Two inputs that broadcast, truth values out."""

    def rule(node: Node) -> None:
        node.arity(2)
        first, second = node.input(0), node.input(1)
        node.options(options, required=False)
        node.dtypes(first, "FLOAT32", "INT32", "INT64", *QUANTIZED)
        node.dtypes(second, first.dtype)
        node.scale_ratio(first, second)
        node.expect(broadcast(node, first, second), "BOOL")
        node.work(value_work(node.output))

    return rule


def logical(node: Node) -> None:
    """Two truth values that broadcast."""
    node.arity(2)
    first, second = node.input(0), node.input(1)
    node.dtypes(first, "BOOL")
    node.dtypes(second, "BOOL")
    node.expect(broadcast(node, first, second), "BOOL")


def logical_not(node: Node) -> None:
    """One truth value."""
    node.arity(1)
    node.dtypes(node.input(0), "BOOL")
    node.expect(node.input(0).shape, "BOOL")


def unary(*dtypes: str) -> Rule:
    """One input, the same shape and type out."""

    def rule(node: Node) -> None:
        node.arity(1)
        source = node.input(0)
        node.dtypes(source, *dtypes)
        node.dtypes(node.output, source.dtype)
        node.expect(source.shape, source.dtype)
        node.scale_ratio(source, node.output)
        node.work(value_work(source))

    return rule


def leaky_relu(node: Node) -> None:
    """A slope that is a number."""
    unary("FLOAT32", *QUANTIZED)(node)
    alpha = float(node.options("LeakyRelu").Alpha())
    node.require(isfinite(alpha) and abs(alpha) <= 2.0**10, f"has the slope {alpha}")


def prelu(node: Node) -> None:
    """Slopes that broadcast to the input."""
    node.arity(2)
    source, slope = node.input(0), node.input(1)
    node.dtypes(source, "FLOAT32", *QUANTIZED)
    node.dtypes(slope, source.dtype)
    node.dtypes(node.output, source.dtype)
    node.rank(source, 1, 4)
    node.require(
        broadcast(node, source, slope) == source.shape,
        f"has slopes of shape {slope.shape} for {source.shape}",
    )
    node.expect(source.shape, source.dtype)
    node.scale_ratio(source, node.output)
    a, b, c = (t.quantization for t in (source, slope, node.output))
    if source.dtype != "FLOAT32" and a is not None and b is not None and c is not None:
        product = float(a.scale[0]) * float(b.scale[0]) / float(c.scale[0])
        node.require(product <= MAX_PRODUCT, f"multiplies by {product:.3g}")
    node.work(value_work(source))


def softmax(node: Node) -> None:
    """A positive beta; 1 to 4 dimensions."""
    node.arity(1)
    source = node.input(0)
    node.dtypes(source, "FLOAT32", *QUANTIZED)
    node.dtypes(node.output, source.dtype)
    node.rank(source, 1, 4)
    beta = float(node.options("Softmax").Beta())
    node.require(2.0**-10 <= beta <= 2.0**10, f"has beta {beta}")
    q = source.quantization
    if source.dtype != "FLOAT32" and q is not None:
        # the kernel asserts that beta * scale * 2^26 exceeds 1
        node.require(2.0**-15 <= float(q.scale[0]) <= 2.0**15, "has an input of extreme scale")
    node.expect(source.shape, source.dtype)
    node.work(value_work(source))


def select(node: Node) -> None:
    """Truth values choose between two tensors of equal shape."""
    _select(node, ("Select",))
    node.require(len({t.shape for t in node.inputs if t is not None}) == 1, "has unequal shapes")


def select_v2(node: Node) -> None:
    """Truth values choose between two tensors; all three broadcast."""
    _select(node, ("SelectV2",))


def _select(node: Node, options: tuple[str]) -> None:
    node.arity(3)
    node.options(options[0], required=False)
    condition, yes, no = (node.input(i) for i in range(3))
    node.dtypes(condition, "BOOL")
    node.dtypes(yes, "FLOAT32", "INT32", "INT64", "BOOL", *QUANTIZED)
    node.dtypes(no, yes.dtype)
    node.expect(broadcast(node, condition, yes, no), yes.dtype)
    node.work(value_work(node.output))


def cast(node: Node) -> None:
    """Any number type to any other."""
    node.arity(1)
    node.options("Cast", required=False)
    types = ("FLOAT32", "INT32", "INT64", "INT16", "INT8", "UINT8", "BOOL", "FLOAT16")
    node.require(node.input(0).dtype in types and node.output.dtype in types, "casts those types")
    node.expect(node.input(0).shape, node.output.dtype)


def quantize(node: Node) -> None:
    """Float to 8 bits, or between two quantizations."""
    node.arity(1)
    source, target = node.input(0), node.output
    node.dtypes(source, "FLOAT32", "INT16", *QUANTIZED)
    node.dtypes(target, "INT16", *QUANTIZED)
    node.expect(source.shape, target.dtype)
    node.scale_ratio(source, target)
    node.work(value_work(source))


def dequantize(node: Node) -> None:
    """Quantized (a scale per channel too) or half precision to float."""
    node.arity(1)
    source = node.input(0)
    packed = ("INT4", "INT2")
    node.require(
        source.dtype in ("FLOAT16", "INT16", *QUANTIZED, *packed), f"has {source.dtype} as input"
    )
    if source.dtype != "FLOAT16":
        node.require(source.quantization is not None, "has an input without a scale")
    if source.dtype in packed:
        node.require(source.data is not None or not node.known([0]), "reads packed values")
    node.expect(source.shape, "FLOAT32")
    node.work(value_work(source))


def add_n(node: Node) -> None:
    """Any number of equal tensors."""
    node.arity((1, len(node.inputs) or 1))
    first = node.input(0)
    node.dtypes(first, "FLOAT32", "INT32")
    for slot in range(len(node.inputs)):
        other = node.input(slot)
        node.require((other.shape, other.dtype) == (first.shape, first.dtype), "adds unlike inputs")
    node.expect(first.shape, first.dtype)
    node.work(value_work(first) * len(node.inputs))
