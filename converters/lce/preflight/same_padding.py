"""Explicit padding that LCE takes for SAME.

LCE takes a padding ``(before, after)`` in front of a VALID convolution for SAME if the output has
``ceil(in / stride)`` pixels and ``before == (before + after) // 2``. SAME itself pads
``max((out - 1) * stride + window - in, 0)`` in total, of which it puts half before: with stride 2
on an even image that is less, and every window shifts by a pixel.

References:
    ``larq_compute_engine/mlir/transforms`` (LCE 0.16): fuse_padding, the patterns of prepare_tf.
"""


def shift(size: int, window: int, stride: int, before: int, after: int) -> int | None:
    """Pixels by which LCE would move the windows of a padded VALID convolution.

    Returns:
        0 if SAME means the same; None if LCE does not take the padding for SAME.
    """
    out = (size + before + after - window) // stride + 1
    if out != -(-size // stride) or before != (before + after) // 2:
        return None
    same = max((out - 1) * stride + window - size, 0) // 2
    return before - same
