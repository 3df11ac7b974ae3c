"""What LCE's converter would get wrong or leave slow, found on the Keras model beforehand."""

from converters.lce.preflight.finding import Finding
from converters.lce.preflight.preflight import preflight, untraceable

__all__ = ["Finding", "preflight", "untraceable"]
