"""The part of a result that describes machines; read it through ``edge_bench.schema``."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
PositiveCount = Annotated[int, Field(ge=1, le=2**63 - 1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CpuState(Strict):
    """What may change while a benchmark runs; None or empty where it cannot be read.

    Attributes:
        load_average: over 1, 5 and 15 minutes.
        frequency_mhz: current frequency of each core.
        temperature_c: hottest sensor, degrees Celsius.
        governor: frequency governor of the first core.
        throttling: what the firmware holds back now or has since the start, e.g. on a Pi
            ``"under-voltage now"``; None where nothing tells.
    """

    load_average: tuple[NotNegative, NotNegative, NotNegative] | None
    frequency_mhz: list[NotNegative]
    temperature_c: Finite | None
    governor: str | None = None
    throttling: list[str] | None = None


class Device(Strict):
    """Where builds ran.

    Attributes:
        name: ``"local"``, or the target as given, without a user's name.
        kind: how it was reached.
        system: operating system and release.
        machine: instruction set of the kernel, e.g. ``"aarch64"``.
        os_bits: of the programs that ran, 32 or 64.
        cpu_model: as the system names it.
        cores: logical cores that may be used.
        cpu_features: instruction sets that matter here, e.g. ``"neon"``, ``"avx2"``.
        memory_bytes: of the machine.
        before: state just before the first warm-up.
        after: state just after the last sample.
        versions: of what ran there.
        warnings: what makes its numbers doubtful or slow, one sentence each.
    """

    name: str
    kind: Literal["local", "ssh", "adb"]
    system: str
    machine: str
    os_bits: Literal[32, 64] | None
    cpu_model: str
    cores: int = Field(ge=1)
    cpu_features: list[str]
    memory_bytes: Count | None
    before: CpuState
    after: CpuState
    versions: dict[str, str]
    warnings: list[str] = Field(default_factory=list)


class Context(Strict):
    """Under which conditions the samples were taken; the machine is the one of the command.

    Attributes:
        host: host name.
        system: operating system and release.
        machine: instruction set, e.g. ``"x86_64"``.
        cpu_model: as the system names it.
        cores: logical cores this process may use.
        governor: frequency governor of the first core, None if there is none.
        before: state just before the warm-up.
        after: state just after the last sample.
        versions: Python, runtimes, this package.
        git_revision: of this package's source, None outside git.
        date: start, UTC.
        command: command line; of paths the last part.
        seed: of the inputs, the order and the bootstrap.
        rounds: interleaved rounds the samples were spread over; where a tool took them, see the
            calls of its builds.
        order: how the builds took turns.
        memory_method: what ``peak_memory_bytes`` means here.
        timed: what a sample covers.
    """

    host: str
    system: str
    machine: str
    cpu_model: str
    cores: int = Field(ge=1)
    governor: str | None
    before: CpuState
    after: CpuState
    versions: dict[str, str]
    git_revision: str | None
    date: AwareDatetime
    command: list[str]
    seed: int
    rounds: int = Field(ge=1)
    order: str
    memory_method: str
    timed: str
