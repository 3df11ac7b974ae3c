"""Layers IR-Net's networks need and Keras does not have."""

from irnet_keras.layers.hardtanh import Hardtanh
from irnet_keras.layers.shortcut import OptionAShortcut

__all__ = ["Hardtanh", "OptionAShortcut"]
