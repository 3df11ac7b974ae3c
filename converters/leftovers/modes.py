"""What may become of the float operators, and how much accuracy it may cost."""

from typing import Literal, get_args

from irnet_keras.errors import UsageError

# ``int8-weights``: int8 weights, float arithmetic. ``int8``: int8 weights and activations.
Mode = Literal["float32", "int8-weights", "int8"]
MODES: tuple[Mode, ...] = get_args(Mode)

# Accuracy, in points, that a file may lose to float leftovers.
LIMIT_POINTS: dict[Mode, float] = {"int8-weights": 0.1, "int8": 0.5}


def checked_mode(name: str, what: str = "leftovers") -> Mode:
    """The mode of that name; ``what`` is how a message calls it.

    Raises:
        UsageError: there is none.
    """
    for mode in MODES:
        if mode == name:
            return mode
    raise UsageError(f"{what} must be one of {', '.join(MODES)}, got {name!r}")
