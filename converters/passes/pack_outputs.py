"""Convolution, batch norm, clip and sign become one convolution that writes bits.

Formula: ``sign(steps(s * g + b))``, ``s`` the integer sum of a channel, is ``s >= T`` where the
slope is positive and ``s <= T`` where it is negative; then the filter is multiplied by -1, and
``-s >= -T``. ``T`` comes from bisection in the chain's own float32 arithmetic
(:mod:`converters.passes._sign_chain`), so every bit stays what it was; but for sums of exactly 0
that LCE's rounding makes negative at zero-padded borders, which count as 0 (the rewrite says so).

With zero padding, taps outside of the image add nothing to ``s``, for which the same ``T`` holds;
LCE's default kernels refuse bits there. For the target ``delegate`` the file has them, and a
multiplier of ones that nothing reads but LCE's reference kernel, which then runs it, too.

Refused:
- something other than the chain reads a value in it, or it is an output of the file;
- an operator in the chain is no clip, product or sum with one constant a channel;
- the target is ``lce`` and the padding is 0;
- the size of the image is not known;
- constants are not finite or could overflow;
- a value within rounding of 0, but not exactly 0, has another sign at the border than inside: LCE
  rounds three times where padding is 0 and twice elsewhere, so no single threshold gives all bits
  as they were;
- padding is 0, the number of input channels odd: the sums have both parities, and a threshold on
  popcounts, half of them, may fall between.
"""

from converters.graph import Graph
from converters.passes._pack import pack_chains
from converters.passes._result import PassResult, Target


def run(graph: Graph, target: Target) -> PassResult:
    """All chains without a maximum."""
    return pack_chains(graph, target, pooled=False)
