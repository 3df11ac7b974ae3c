"""Float operators that remain beside the binary ones: fewer bytes, less time."""

from converters.leftovers.leftovers import Leftovers, LeftoversReport, quantize_leftovers
from converters.leftovers.modes import MODES, Mode, checked_mode
from converters.leftovers.representative import check_representative, load_representative

__all__ = [
    "MODES",
    "Leftovers",
    "LeftoversReport",
    "Mode",
    "check_representative",
    "checked_mode",
    "load_representative",
    "quantize_leftovers",
]
