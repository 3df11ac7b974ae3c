"""Which tool runs on a target, and what has to be there for it."""

import json
import struct
from dataclasses import dataclass
from pathlib import Path

from edge_bench.host import without_places
from edge_bench.schema import ToolInfo
from edge_bench.targets import Facts, Target
from edge_bench.tools import TOOLS, BenchmarkModel, LceBenchmarkModel, LceDelegate, Tool
from irnet_keras.errors import CheckFailed, UsageError
from irnet_keras.files import sha256_file

AUTO = "auto"
_SETUP = "irnet device setup"
_INFO_SECONDS = 120.0
# e_machine and EI_CLASS of ELF headers (System V ABI), by what `uname -m` says.
_ELF = {
    (62, 2): "x86_64",
    (183, 2): "aarch64",
    (40, 1): "armv7l",
    (3, 1): "i686",
    (243, 2): "riscv64",
}


@dataclass(frozen=True)
class ToolFiles:
    """Files of this machine that a tool needs on the target, and which kernels LCE's takes.

    Attributes:
        binary: ``benchmark_model`` or ``lce_benchmark_model`` for the target, None to look in
            the target's ``PATH``.
        delegate: ``liblce_delegate.so`` for the target, for ``benchmark_model``.
        use_reference_bconv: flag of ``lce_benchmark_model``: its slow kernels.
        use_indirect_bgemm: the same: its indirect kernels.
    """

    binary: Path | None = None
    delegate: Path | None = None
    use_reference_bconv: bool = False
    use_indirect_bgemm: bool = False


@dataclass(frozen=True)
class Ready:
    """A tool that can be called.

    Attributes:
        tool: builds and reads its calls.
        info: for results, the command yet empty.
        versions: of what runs there, for results.
    """

    tool: Tool
    info: ToolInfo
    versions: dict[str, str]


def check_tool(name: str) -> None:
    """Raise :class:`UsageError` for the name of no tool."""
    if name not in (AUTO, *TOOLS):
        raise UsageError(f"--tool must be one of {', '.join((AUTO, *TOOLS))}, got {name!r}")


def prepare(target: Target, name: str, files: ToolFiles) -> Ready:
    """Find or push a tool.

    Args:
        target: opened.
        name: one of ``TOOLS``, or ``"auto"``: the binary that was given, else ``lce_delegate``.
        files: what to push.

    Raises:
        UsageError: it is not there (says what to do), or does not have a flag.
        CheckFailed: a binary for another machine.
    """
    if name == AUTO:
        name = "lce_delegate"
        if files.binary is not None:
            name = "lce_benchmark_model" if files.delegate is None else "benchmark_model"
    if name != "lce_benchmark_model" and (files.use_reference_bconv or files.use_indirect_bgemm):
        raise UsageError(
            "--use-reference-bconv and --use-indirect-bgemm are flags of lce_benchmark_model, "
            f"the tool is {name}"
        )
    if name == "lce_delegate":
        return _package(target)
    binary, digest = _binary(target, name, files.binary)
    if name == "lce_benchmark_model":
        tool: Tool = LceBenchmarkModel(binary, files.use_reference_bconv, files.use_indirect_bgemm)
    else:
        delegate = None
        if files.delegate is not None:
            check_machine(files.delegate, target.facts(), target.address.text)
            delegate = target.push(files.delegate)
        tool = BenchmarkModel(binary, delegate)
    return Ready(tool, ToolInfo(name=tool.name, sha256=digest), {})


def _package(target: Target) -> Ready:
    python = target.python
    done = target.run(
        [python, "-m", "lce_delegate", "info", "--json", "-"], timeout_s=_INFO_SECONDS
    )
    try:
        if done.status:
            raise ValueError(done.last_line())
        info = json.loads(done.stdout)
        version = str(info["version"])
        versions = {"lce-delegate": version}
        if info["runtime"] is not None:
            versions[str(info["runtime"]["name"])] = str(info["runtime"]["version"])
    except (ValueError, KeyError, TypeError) as error:
        raise CheckFailed(
            f"{target.address.text}: `python -m lce_delegate` does not work there "
            f"({without_places(str(error))}): {_SETUP} {target.address.text}"
        ) from error
    found = target.facts().python
    if found:
        versions["python"] = found
    return Ready(
        LceDelegate(python=(python,)), ToolInfo(name="lce_delegate", version=version), versions
    )


def _binary(target: Target, name: str, path: Path | None) -> tuple[str, str]:
    """Path on the target and SHA-256 of a program, pushed if it is given."""
    if path is not None:
        check_machine(path, target.facts(), target.address.text)
        remote = target.push(path)
        target.shell('chmod 700 -- "$1"', remote)
        return remote, sha256_file(path)
    found = target.shell('command -v "$1" || true', name).strip()
    if not found.startswith("/"):
        raise UsageError(f"{target.address.text}: no {name} in its PATH: name one with --tool-path")
    header = bytes.fromhex(target.shell('od -An -v -tx1 -N20 "$1"', found))
    machine = elf_machine(header)
    if machine is not None:  # else a script that starts it
        _check_fits(machine, name, target.facts(), target.address.text)
    return found, target.shell('sha256sum < "$1"', found).split()[0]


def check_machine(path: Path, facts: Facts, where: str) -> None:
    """Refuse a program or library that is not for this machine, before anything is copied.

    Raises:
        UsageError: no program at all.
        CheckFailed: for another machine.
    """
    try:
        with path.open("rb") as file:
            machine = elf_machine(file.read(20))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    if machine is None:
        raise UsageError(f"{path} is not a Linux program or library (no ELF header)")
    _check_fits(machine, path.name, facts, where)


def _check_fits(machine: str, name: str, facts: Facts, where: str) -> None:
    fits = {facts.arch, "armv7l"} if facts.arch == "aarch64" else {facts.arch}
    if machine not in fits:
        raise CheckFailed(f"{where}: {name} is for {machine}, the target runs {facts.arch}")


def elf_machine(header: bytes) -> str | None:
    """Machine of a program as ``uname -m`` would name it; None if it is no ELF file.

    Args:
        header: the file's first 20 bytes.
    """
    if len(header) < 20 or header[:4] != b"\x7fELF":
        return None
    order = ">" if header[5] == 2 else "<"
    (number,) = struct.unpack_from(f"{order}H", header, 18)
    return _ELF.get((number, header[4]), f"machine {number}")
