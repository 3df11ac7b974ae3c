"""Convolution, max-pooling, batch norm, clip and sign (VGG-Small) become bits before the pooling.

Formula: for steps ``f`` that grow, ``sign(f(max(y))) = max(sign(f(y)))``, and the maximum of signs
is the AND of "is negative" bits, ``LceBMaxPool2d``. Where ``f`` falls (a negative batch norm scale
behind the maximum), ``f(max(y)) < 0`` if *any* ``f(y) < 0``; that is NOT AND NOT: the convolution
writes the complement of these channels, and the next convolution, whose weights of these input
channels are multiplied by -1, undoes it: ``(-w)(-x) = w x``.

Thresholds and what is refused: as in :mod:`converters.passes.pack_outputs`. Where a scale is
negative, also refused:
- something other than convolutions reads the signs, or they are an output of the file;
- a next convolution pads with ones: what it pads with would be -1 in the inverted channels;
- a next convolution has float output and zero padding: LCE rounds its border with a product
  of its weights, so that output would change in the last bit. Packed outputs do not: hence this
  pass runs after ``pack_outputs``.
"""

from converters.graph import Graph
from converters.passes._pack import pack_chains
from converters.passes._result import PassResult, Target


def run(graph: Graph, target: Target) -> PassResult:
    """All chains with one maximum."""
    return pack_chains(graph, target, pooled=True)
