"""What a file may cost and hold; the defaults are for phones and small boards."""

from dataclasses import dataclass, field
from pathlib import Path

from converters.graph import Graph
from converters.graph.model import Op
from irnet_keras.errors import UsageError

MIB = 1 << 20


class RefusedFileError(UsageError):
    """A readable ``.tflite`` file that no interpreter here will be given."""


@dataclass(frozen=True)
class Policy:
    """Limits of a file.

    The defaults are some ten times what ResNet-34 with 224 x 224 images takes (87 MB, 3.7 GMAC).

    Attributes:
        file_mib: size of the file.
        tensor_mib: the largest tensor, constant or not, or scratch memory of one operator.
        memory_mib: all tensors that are not constants, and scratch memory.
        ops: operators.
        gmacs: multiply-accumulates of one run, in 1e9; other operators count ten per value.
        allowed_ops: operators accepted although no rule checks them.
    """

    file_mib: float = 512
    tensor_mib: float = 256
    memory_mib: float = 1024
    ops: float = 5000
    gmacs: float = 40
    allowed_ops: frozenset[str] = field(default_factory=frozenset)


DEFAULT_POLICY = Policy()


@dataclass
class Spending:
    """What a file takes of its policy.

    Attributes:
        policy: the limits.
        memory_bytes: so far.
        macs: so far.
    """

    policy: Policy
    memory_bytes: int = 0
    macs: int = 0

    def file(self, graph: Graph) -> None:
        """Size and number of operators.

        Raises:
            RefusedFileError: too many; so the others.
        """
        _at_most("the file has", len(graph.data) / MIB, self.policy.file_mib, "MiB", "file-mib")
        _at_most("the file has", len(graph.ops), self.policy.ops, "operators", "ops")

    def tensor(self, what: str, num_bytes: int, constant: bool = False) -> None:
        """One tensor, or scratch memory of one operator."""
        _at_most(f"{what} takes", num_bytes / MIB, self.policy.tensor_mib, "MiB", "tensor-mib")
        if not constant:
            self.memory_bytes += num_bytes
            used = self.memory_bytes / MIB
            _at_most("its tensors take", used, self.policy.memory_mib, "MiB", "memory-mib")

    def work(self, macs: int) -> None:
        """Multiply-accumulates of one operator."""
        self.macs += macs
        _at_most(
            "one run takes",
            self.macs / 1e9,
            self.policy.gmacs,
            "billion multiply-accumulates",
            "gmacs",
        )


def check_allowed(policy: Policy, op: Op, known: bool) -> None:
    """Raise :class:`RefusedFileError` for an operator that is neither known nor allowed."""
    if not known and op.name not in policy.allowed_ops:
        raise RefusedFileError(
            f"refused .tflite file: operator {op.index} is {op.name!r}, which is not on the list "
            "of accepted operators (--allow-op)"
        )


def _at_most(what: str, value: float, limit: float, unit: str, option: str) -> None:
    if value > limit:
        shown = f"{value:,.0f}" if value >= limit + 1 else f"{value:,.4f}"
        raise RefusedFileError(
            f"refused .tflite file: {what} {shown} {unit}, accepted are at most {limit:g} "
            f"(--file-limit {option})"
        )


def in_file(path: str | Path, error: RefusedFileError) -> RefusedFileError:
    """The same error with the file's name in front."""
    return RefusedFileError(f"{path}: {error}")
