"""Which tool runs on a target, and what has to be there for it."""

import struct
from dataclasses import dataclass
from pathlib import Path

from edge_bench.host import without_places
from edge_bench.schema import ToolInfo
from edge_bench.targets import Facts, Target
from edge_bench.tools import (
    TOOLS,
    BenchmarkModel,
    LceBenchmarkModel,
    LceDelegate,
    Tool,
    info_argv,
    read_info,
)
from irnet_keras.errors import CheckFailed, UsageError
from irnet_keras.files import sha256_file

AUTO = "auto"
_SETUP = "irnet device setup"
_INFO_SECONDS = 120.0
UNTOLD = "of unknown version (the program prints none; see its SHA-256)"
# LCE's and TensorFlow's guides put their programs into these folders.
_ANDROID = "/data/local/tmp"
_FIND = r"""
for path in "$(command -v "$1")" "$HOME/$1" "$2/$1"; do
  if [ -f "$path" ] && [ -x "$path" ]; then echo "$path"; exit 0; fi
done
"""
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

    @property
    def identity(self) -> str:
        """Which tool it is, of which build."""
        return f"{self.info.name} {self.info.sha256 or self.versions}"


def check_tool(name: str) -> None:
    """Raise :class:`UsageError` for the name of no tool."""
    if name not in (AUTO, *TOOLS):
        raise UsageError(f"--tool must be one of {', '.join((AUTO, *TOOLS))}, got {name!r}")


def prepare(target: Target, name: str, files: ToolFiles) -> Ready:
    """Find or push a tool.

    Args:
        target: opened.
        name: one of ``TOOLS``, or ``"auto"``: the binary that was given, else ``lce_delegate``,
            else a binary that is there.
        files: what to push.

    Raises:
        UsageError: it is not there (says what to do), or does not have a flag.
        CheckFailed: a binary for another machine.
    """
    if name == AUTO:
        if files.binary is None:
            return _what_is_there(target, files)
        name = "lce_benchmark_model" if files.delegate is None else "benchmark_model"
    if name != "lce_benchmark_model" and (files.use_reference_bconv or files.use_indirect_bgemm):
        raise UsageError(
            "--use-reference-bconv and --use-indirect-bgemm are flags of lce_benchmark_model, "
            f"the tool is {name}"
        )
    if name == "lce_delegate":
        return _package(target)
    return _program(target, name, files)


def _what_is_there(target: Target, files: ToolFiles) -> Ready:
    """``lce_delegate``, which tells most; a program where that does not work."""
    try:
        return prepare(target, "lce_delegate", files)
    except CheckFailed:
        for name in ("lce_benchmark_model", "benchmark_model"):
            if _place(target, name):
                return prepare(target, name, files)
        raise


def _package(target: Target) -> Ready:
    python = target.python
    done = target.run(info_argv(python), timeout_s=_INFO_SECONDS)
    try:
        if done.status:
            raise ValueError(done.last_line())
        info = read_info(done.stdout)
    except ValueError as error:
        raise CheckFailed(
            f"{target.address.text}: `python -m lce_delegate` does not work there "
            f"({without_places(str(error))}): {_SETUP} {target.address.text}"
        ) from error
    versions = {"lce-delegate": info.version}
    if info.runtime is not None:
        versions[info.runtime.name] = info.runtime.version
    found = target.facts().python
    if found:
        versions["python"] = found
    return Ready(
        LceDelegate(python=(python,)),
        ToolInfo(name="lce_delegate", version=info.version),
        versions,
    )


def _program(target: Target, name: str, files: ToolFiles) -> Ready:
    """A C++ tool, pushed if it is given."""
    if files.binary is not None:
        binary = _push(target, files.binary)
        target.shell('chmod 700 -- "$1"', binary)
        digest = sha256_file(files.binary)
    else:
        binary = _place(target, name)
        if not binary:
            raise UsageError(
                f"{target.address.text}: no {name} in its PATH, home folder or {_ANDROID}: name "
                "one with --tool-path"
            )
        header = bytes.fromhex(target.shell('od -An -v -tx1 -N20 "$1"', binary))
        machine = elf_machine(header)
        if machine is not None:  # else a script that starts it
            _check_fits(machine, name, target.facts(), target.address.text)
        digest = target.shell('sha256sum < "$1"', binary).split()[0]
    tool: Tool
    versions = {name: UNTOLD}
    if name == "lce_benchmark_model":
        tool = LceBenchmarkModel(binary, files.use_reference_bconv, files.use_indirect_bgemm)
    else:
        delegate = _push(target, files.delegate) if files.delegate is not None else None
        tool = BenchmarkModel(binary, delegate)
        if files.delegate is not None:
            versions["liblce_delegate.so"] = f"SHA-256 {sha256_file(files.delegate)}"
    return Ready(tool, ToolInfo(name=tool.name, sha256=digest), versions)


def _place(target: Target, name: str) -> str:
    """Path of a program that the target has; empty if it has none."""
    return target.shell(_FIND, name, _ANDROID).strip()


def _push(target: Target, path: Path) -> str:
    check_machine(path, target.facts(), target.address.text)
    return target.push(path)


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
