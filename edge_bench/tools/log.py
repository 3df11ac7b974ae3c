"""The log of ``benchmark_model`` and of LCE's tool, which is built from it.

What the versions print differs: since TensorFlow 2.5 lines begin with ``INFO: ``, Android's own
log puts a time stamp in front, statistics got percentiles in 2.18, ``Peak memory footprint``
became ``Memory footprint delta``, and the profiler's tables lost and gained columns.
"""

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path

from edge_bench.tools.profile import read_profile
from edge_bench.tools.tool import LogError, Stats, ToolResult

_PREFIX = re.compile(r"^(?:\S+ \S+ +\d+ +\d+ [VDIWE] tflite *: |(INFO|WARN(?:ING)?|ERROR): )")
_RUNNING = re.compile(r"^Running benchmark for at least (\d+) iterations")
_TIMINGS = re.compile(
    r"^Inference timings in us: Init: (\S+), First inference: (\S+), Warmup \(avg\): (\S+), "
    r"Inference \(avg\): (\S+)$"
)
_SIZE = re.compile(r"^The input model file size \(MB\): (\S+)$")
_SESSION = re.compile(r"^Initialized session in (\S+?)ms\.?$")
_MEMORY = re.compile(
    r"^(?:Peak memory footprint|Memory footprint delta from the start of the tool) \(MB\): "
    r"init=(\S+) overall=(\S+)$"
)
_DELEGATE = re.compile(r"^(?:Explicitly applied|Though) (\S+) delegate\b.*$")
_PROFILING = "Operator-wise Profiling Info for Regular Benchmark Runs:"
_FAILED = ("Benchmarking failed.", "Aborted", "Segmentation fault")
# Six significant digits are printed.
_PRINTED = 2e-5


@dataclass(frozen=True)
class Log:
    """A parsed log: the result, and the size of the file the tool says it ran."""

    result: ToolResult
    size_mb: float | None


def read_log(text: str, log: str | Path) -> Log:
    """Parse the output of one successful call.

    Args:
        text: standard output, with standard error or without.
        log: where it is kept, for messages.

    Raises:
        LogError: a line is missing, comes twice, is not as known, or lines contradict each other.
    """
    lines = [_stripped(line) for line in text.splitlines()]
    failed = [line for _, line in lines if line.startswith(_FAILED)]
    if failed:
        errors = [line for level, line in lines if level == "ERROR"]
        raise LogError(f"the tool says {(errors or failed)[0]!r}; raw log: {log}")
    bodies = [line for _, line in lines]
    if any("benchmark_litert_model" in line for line in bodies):
        raise LogError(
            "this is the tool of LiteRT's CompiledModel, which has the same name; "
            f"TensorFlow Lite's benchmark_model is needed; raw log: {log}"
        )
    if "STARTING!" not in bodies:
        raise LogError(f"the output has no line 'STARTING!'; raw log: {log}")
    if not any(line.startswith("Loaded model ") for line in bodies):
        raise LogError(f"the output has no line 'Loaded model ...'; raw log: {log}")
    warmup, inference = _both(bodies, log)
    numbers = _one(bodies, "Inference timings in us:", _TIMINGS, log)
    init, first, warmup_mean, mean = (_number(n, "Inference timings", log) for n in numbers)
    for name, one, other in (
        ("First inference", first, warmup.first),
        ("Warmup (avg)", warmup_mean, warmup.mean),
        ("Inference (avg)", mean, inference.mean),
    ):
        if not math.isclose(one, other, rel_tol=_PRINTED):
            raise LogError(
                f"{name} is {one:g} us in the summary but {other:g} us in its 'count=' line; "
                f"raw log: {log}"
            )
    session = _one(bodies, "Initialized session in", _SESSION, log)
    _number(session[0], "Initialized session", log)
    memory = _optional(bodies, ("Peak memory footprint", "Memory footprint delta"), _MEMORY, log)
    size = _optional(bodies, ("The input model file size",), _SIZE, log)
    delegates = [line for line in bodies if _DELEGATE.match(line)]
    result = ToolResult(
        inference=inference,
        warmup=warmup,
        init_us=init,
        memory_mib=_number(memory[1], "memory", log, least=None) if memory else None,
        delegate=delegates[0] if delegates else None,
        warnings=tuple(line for level, line in lines if level and level != "INFO"),
    )
    if any(line.startswith(_PROFILING) for line in bodies):
        result = replace(result, profile=read_profile(_after_profiling(text), log))
    return Log(result, _number(size[0], "file size", log) if size else None)


def _stripped(line: str) -> tuple[str | None, str]:
    """Level and text of a line; terminals may have left escape sequences."""
    line = re.sub(r"\x1b\[[0-9;]*[A-Za-z]|\^\[\[[A-Z]", "", line)
    line = "".join(c for c in line if c.isprintable() or c == "\t")
    match = _PREFIX.match(line)
    return (match[1], line[match.end() :].rstrip()) if match else (None, line.rstrip())


def _both(lines: list[str], log: str | Path) -> tuple[Stats, Stats]:
    """Statistics of warm-up and timed runs."""
    found: list[Stats] = []
    for i, line in enumerate(lines):
        if not line.startswith("Running benchmark"):
            continue
        if not _RUNNING.match(line):
            raise LogError(f"the line {line!r} is not as known; raw log: {log}")
        following = next((later for later in lines[i + 1 :] if later.startswith("count=")), None)
        before_next = next(
            (later for later in lines[i + 1 :] if later.startswith(("count=", "Running benchm"))),
            None,
        )
        if following is None or before_next != following:
            raise LogError(f"no 'count=' line follows {line!r}; raw log: {log}")
        found.append(read_stats(following, log))
    if len(found) != 2 or sum(line.startswith("count=") for line in lines) != 2:
        raise LogError(
            f"the output must have two lines 'Running benchmark ...' (warm-up, timed runs), each "
            f"with its 'count=' line; it has {len(found)}; raw log: {log}"
        )
    return found[0], found[1]


def read_stats(line: str, log: str | Path) -> Stats:
    """A ``count=`` line in any of its forms; pairs not known here are ignored.

    Raises:
        LogError: no runs, a missing or an impossible value.
    """
    pairs = dict(re.findall(r"([A-Za-z_]\w*)=([^\s(]+)", line))
    count = pairs.get("count", "")
    if not count.isdecimal() or int(count) < 1:
        raise LogError(f"the tool timed no run ({line!r}); raw log: {log}")
    if "curr" in pairs and "avg" not in pairs:  # one run, or all alike
        value = _number(pairs["curr"], line, log)
        return Stats(int(count), value, value, value, value, value, 0.0)
    try:
        first, last, low, high, mean = (
            _number(pairs[key], line, log) for key in ("first", "curr", "min", "max", "avg")
        )
        std = _number(pairs["std"], line, log, least=None)
    except KeyError as error:
        raise LogError(f"the line {line!r} has no {error.args[0]}=; raw log: {log}") from error
    if not low * (1 - _PRINTED) <= mean <= high * (1 + _PRINTED):
        raise LogError(f"the mean is outside of min and max in {line!r}; raw log: {log}")
    more = {k: _number(pairs[k], line, log) for k in ("median", "p5", "p95") if k in pairs}
    return Stats(int(count), first, last, low, high, mean, std, **more)


def _number(text: str, where: str, log: str | Path, least: float | None = 0.0) -> float:
    """A finite number, above ``least``."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (least is not None and value <= least):
        raise LogError(f"{text!r} is not a possible value in {where!r}; raw log: {log}")
    return value


def _one(lines: list[str], start: str, form: re.Pattern[str], log: str | Path) -> tuple[str, ...]:
    """Groups of the one line that begins with ``start``."""
    groups = _optional(lines, (start,), form, log)
    if groups is None:
        raise LogError(f"the output has no line '{start} ...'; raw log: {log}")
    return groups


def _optional(
    lines: list[str], starts: tuple[str, ...], form: re.Pattern[str], log: str | Path
) -> tuple[str, ...] | None:
    """Groups of the line that begins with one of ``starts``, if there is one."""
    found = [line for line in lines if line.startswith(starts)]
    if not found:
        return None
    if len(found) > 1:
        raise LogError(f"the output has {len(found)} lines '{starts[0]} ...'; raw log: {log}")
    match = form.match(found[0])
    if not match:
        raise LogError(f"the line {found[0]!r} is not as known; raw log: {log}")
    return match.groups()


def _after_profiling(text: str) -> list[str]:
    """Lines after the banner of the timed runs; the initialization's table comes before it."""
    lines = text.splitlines()
    banner = next(i for i, line in enumerate(lines) if _stripped(line)[1].startswith(_PROFILING))
    return lines[banner + 1 :]
