"""IR-Net binary networks for Keras: quantizers, networks, data and training.

Importing this package is cheap: TensorFlow is loaded only when a name that needs it
is used. It selects Keras 2 for TensorFlow (see :mod:`irnet_keras._keras`), so import it
before TensorFlow.
"""

import importlib
from typing import Any

from irnet_keras._keras import select_legacy_keras
from irnet_keras.version import __version__

select_legacy_keras()

_EXPORTS = {
    "EDESign": "irnet_keras.quantizers",
    "LibraPB": "irnet_keras.quantizers",
    "ede_sign": "irnet_keras.quantizers",
    "libra_pb": "irnet_keras.quantizers",
    "EDEScheduler": "irnet_keras.training.callbacks",
    "Hardtanh": "irnet_keras.layers",
    "OptionAShortcut": "irnet_keras.layers",
    "Rotate180": "irnet_keras.layers",
    "load": "irnet_keras.models",
    "build_model": "irnet_keras.models",
    "ede_t": "irnet_keras.schedules",
}

__all__ = ["__version__", *sorted(_EXPORTS)]


def __getattr__(name: str) -> Any:
    module = _EXPORTS.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(module), name)


def __dir__() -> list[str]:
    return sorted(__all__)
