"""Names like the one that was meant."""

import difflib
from collections.abc import Iterable

MAX_NEAR = 3


def accepted(name: object, names: Iterable[str]) -> str:
    """``did you mean A or B? accepted: A, B, C``, the end of a message about a wrong name."""
    known = list(names)
    listed = f"accepted: {', '.join(known)}"
    near = difflib.get_close_matches(str(name).lower(), known, MAX_NEAR)
    return f"did you mean {' or '.join(near)}? {listed}" if near else listed
