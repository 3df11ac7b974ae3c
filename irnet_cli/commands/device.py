"""``irnet device``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from irnet_cli.output import JsonOption, check_files, log, write_json
from irnet_keras.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="Boards and phones.")
TargetArgument = Annotated[
    str, typer.Argument(help="ssh://\\[user@]host\\[:port], adb\\[:SERIAL] or local.")
]


@app.callback()
def device() -> None:
    """Boards and phones."""


@app.command()
def setup(
    target: TargetArgument,
    wheels: Annotated[
        Path | None,
        typer.Option(help="Folder of wheels to use; default: fetch LiteRT, build lce_delegate."),
    ] = None,
) -> None:
    """Install LiteRT and lce_delegate there, in a virtual environment of their own."""
    if wheels is not None and not wheels.is_dir():
        raise UsageError(f"--wheels must be a folder, got {wheels}")
    from edge_bench.device import info as read
    from edge_bench.device import setup as run
    from edge_bench.targets import connect, parse_address

    with connect(parse_address(target), log=log) as opened:
        for name in run(opened, wheels, log):
            print(f"installed {name}")
        _print_runtime(read(opened))


@app.command()
def info(target: TargetArgument, json_file: JsonOption = None) -> None:
    """CPU, instruction sets, memory, system, load, and what can run there."""
    check_files([("--json", json_file)])
    from edge_bench.device import info as read
    from edge_bench.targets import connect, parse_address

    with connect(parse_address(target), log=log) as opened:
        found = read(opened)
    if not write_json(json_file, found):
        _print(found)


def _print(found: dict[str, Any]) -> None:
    state = found["conditions"]
    load, frequencies = state["load_average"], state["frequency_mhz"]
    memory = found["memory_bytes"]
    rows = [
        ("target", found["target"]),
        ("product", found["product"]),
        ("system", found["system"]),
        ("Android", found["android"]),
        ("OS bits", found["os_bits"]),
        ("CPU", found["cpu_model"]),
        ("cores", found["cores"]),
        ("ISA", " ".join([found["machine"], *_features(found)])),
        ("memory", memory and f"{memory / 1e9:.1f} GB"),
        ("governor", state["governor"]),
        ("frequency", " ".join(f"{f:.0f}" for f in frequencies) + " MHz" if frequencies else None),
        ("temperature", state["temperature_c"] and f"{state['temperature_c']:.0f} °C"),
        ("throttling", None if state["throttling"] is None else ", ".join(state["throttling"])),
        ("load", load and " ".join(f"{v:.2f}" for v in load)),
        ("Python", found["python"]),
    ]
    for name, value in rows:
        if name in ("product", "Android", "throttling") and value is None:
            continue  # not a phone, not a Pi
        print(f"{name:<12} {'unknown' if value in (None, '') else value}")
    _print_runtime(found)


def _features(found: dict[str, Any]) -> list[str]:
    """All of ARM's; of x86's hundred those that kernels are chosen by."""
    from edge_bench.host import CPU_FEATURES

    known = found["cpu_features"]
    return [f for f in CPU_FEATURES if f in known] if found["arch"] == "x86_64" else known


def _print_runtime(found: dict[str, Any]) -> None:
    runtime = found["runtime"]
    if runtime is not None:
        print(f"{'runtime':<12} LiteRT {runtime['litert'] or 'none'}")
        print(
            f"{'delegate':<12} {runtime['lce_delegate']}, kernels: {', '.join(runtime['kernels'])}"
        )
    for text in found["missing"]:
        print(f"{'missing':<12} {text}")
