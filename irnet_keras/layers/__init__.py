"""Layers IR-Net's networks need and Keras does not have."""

from irnet_keras.layers.depth_to_space import DepthToSpace
from irnet_keras.layers.hardtanh import Hardtanh
from irnet_keras.layers.narrow_conv import NarrowQuantConv2D
from irnet_keras.layers.rotate import Rotate180
from irnet_keras.layers.shortcut import OptionAShortcut

__all__ = ["DepthToSpace", "Hardtanh", "NarrowQuantConv2D", "OptionAShortcut", "Rotate180"]
