"""Networks that map images to larger images: their scale, and the size of their input."""

from typing import Any

import tensorflow as tf

from irnet_keras.errors import UsageError


def enlargement(model: Any) -> int | None:
    """How many times as high and wide a model's output is; None where it is no such model.

    Args:
        model: Keras model of one input and one output.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1 or len(model.input_shape) != 4:
        return None
    shape = (1, *(n or 32 for n in model.input_shape[1:3]), model.input_shape[3])
    after = tuple(model.compute_output_shape(shape))
    if len(after) != 4 or after[3] != shape[3] or after[1] % shape[1]:
        return None
    scale = after[1] // shape[1]
    return scale if scale > 1 and after[2] == scale * shape[2] else None


def with_image_size(model: Any, height: int | None, width: int | None) -> Any:
    """The same network for images of another size, with its weights.

    Args:
        model: functional Keras model, fully convolutional.
        height: of the input; None: open.
        width: the same.
    """
    image = tf.keras.Input((height, width, model.input_shape[3]), name=model.input_names[0])
    copy = tf.keras.models.clone_model(model, input_tensors=image)
    copy.set_weights(model.get_weights())
    return copy


def parse_size(text: str, option: str) -> tuple[int, int]:
    """``"128x96"``, height first, or ``"128"``, as (height, width).

    Raises:
        UsageError: of another form, or a side out of range.
    """
    parts = text.lower().split("x")
    if len(parts) not in (1, 2) or not all(part.isascii() and part.isdigit() for part in parts):
        raise UsageError(f"{option} must be HEIGHTxWIDTH, e.g. 128x128, got {text!r}")
    height, width = int(parts[0]), int(parts[-1])
    if not (8 <= height <= 4096 and 8 <= width <= 4096):
        raise UsageError(f"{option} must be 8 to 4096 pixels high and wide, got {text!r}")
    return height, width
