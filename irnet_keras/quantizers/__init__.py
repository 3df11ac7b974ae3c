"""Larq quantizers of IR-Net."""

from irnet_keras.quantizers.ede import EDESign, ede_sign
from irnet_keras.quantizers.libra_pb import LibraPB, libra_pb

__all__ = ["EDESign", "LibraPB", "ede_sign", "libra_pb"]
