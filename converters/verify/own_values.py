"""The float values whose signs were packed, where the file has them.

A packed activation alone cannot tell a value that rounded to the other side of 0 from an
activation that was lost on the way; the value that was quantized can.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.graph import MAXPOOL, QUANTIZE, Graph, Op, PoolOptions
from converters.graph.lce_ops import SAME


class OwnValue:
    """Float tensor behind a packed one: through at most one ``LceBMaxPool2d``.

    Args:
        graph: the file.
        packed: tensor index of a packed activation.

    Attributes:
        source: tensor index to watch, or None where there is no float (bitpacked convolution
            outputs, int8, boolean or graph inputs).
    """

    def __init__(self, graph: Graph, packed: int) -> None:
        op: Op | None = graph.producer(packed)
        self._pool: PoolOptions | None = None
        if op is not None and op.name == MAXPOOL and isinstance(op.options, PoolOptions):
            self._pool = op.options
            op = graph.producer(op.inputs[0])
        self.source: int | None = None
        if op is not None and op.name == QUANTIZE:
            tensor = graph.tensors[op.inputs[0]]
            if tensor.dtype == "FLOAT32":
                self.source = tensor.index

    def pooled(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Values ``(n, height, width, channels)`` as they stand at the packed tensor."""
        if self._pool is None:
            return values
        import tensorflow as tf

        pool = self._pool
        return np.asarray(
            tf.nn.max_pool2d(
                values,
                (pool.filter_height, pool.filter_width),
                (pool.stride_height, pool.stride_width),
                "SAME" if pool.padding == SAME else "VALID",
            )
        )
