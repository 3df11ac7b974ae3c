"""One thing the converter would not do as the model says."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["wrong", "fails", "slow"]


@dataclass(frozen=True)
class Finding:
    """A problem of one layer.

    Attributes:
        check: which rule found it, e.g. ``"shifted-window"``.
        severity: ``"wrong"``: the file would compute something else; ``"fails"``: it would not
            convert or not run; ``"slow"``: something that could be 1-bit stays float.
        layer: name of the Keras layer.
        reason: what is wrong.
        cure: what to change.
    """

    check: str
    severity: Severity
    layer: str
    reason: str
    cure: str

    @property
    def refuses(self) -> bool:
        """Whether ``--strict`` refuses the model for it."""
        return self.severity != "slow"

    def __str__(self) -> str:
        return f"{self.layer}: {self.reason}; {self.cure}"
