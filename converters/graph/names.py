"""Keras layers behind the names of tensors."""


def layer_name(tensor: str) -> str:
    """The Keras layer that a converter's tensor name stands for, as well as the name tells.

    Converters name tensors ``model/layer/operation``, join the names of merged operations with
    ``;``, and LCE cuts the result to its last 50 characters.
    """
    first = next((part for part in tensor.split(";") if part), tensor)
    parts = first.split("/")
    return parts[-2] if len(parts) > 1 else first
