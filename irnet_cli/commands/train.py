"""``irnet train``."""

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from irnet_cli.output import JsonOption, check_files, log, start_devices, write_json
from irnet_cli.training_plan import show_plan
from irnet_keras.errors import UsageError
from irnet_keras.files import make_folder
from irnet_keras.recipes import RECIPES, get_recipe
from irnet_keras.training import run_folder
from irnet_keras.training.config import parse_set


def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help=f"One of: {', '.join(RECIPES)}.")],
    epochs: Annotated[int | None, typer.Option(help="Length; schedules adapt to it.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, may be repeated.")
    ] = None,
    run_dir: Annotated[Path | None, typer.Option(help="Default: runs/RECIPE-<n>.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue --run-dir, or the latest run.")
    ] = False,
    data_dir: Annotated[Path | None, typer.Option(help="TFDS data folder.")] = None,
    strategy: Annotated[
        str, typer.Option(help="auto, none, mirrored, multiworker or tpu.")
    ] = "auto",
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Print configuration, network, memory and time; write nothing."
        ),
    ] = False,
    json_file: JsonOption = None,
) -> None:
    """Train a network by recipe; every run has its own folder and can be resumed."""
    overrides = parse_set(set_ or [])
    if epochs is not None:
        if "epochs" in overrides:
            raise UsageError("epochs is given by --epochs and by --set")
        overrides["epochs"] = epochs
    config = get_recipe(recipe).with_overrides(overrides)
    if resume:
        run_dir = run_dir or run_folder.latest_run_folder(config.name)
        stored = run_folder.read_config(run_dir)
        if stored.name != config.name:
            raise UsageError(f"{run_dir} is a run of {stored.name}, not of {config.name}")
        config = stored.with_overrides({"stage1_epochs": stored.stage1_epochs, **overrides})
    check_files([("--json", json_file)])
    if dry_run:
        show_plan(config, data_dir, strategy, json_file)
        return
    existed = run_dir is not None and run_dir.exists()
    if run_dir:
        make_folder(run_dir)
    with contextlib.ExitStack() as stack:
        if run_dir and not existed:
            stack.enter_context(run_folder.discarding_empty(run_dir))
        devices = start_devices(strategy)
        if devices.workers > 1 and run_dir is None:
            raise UsageError("several workers need --run-dir, a folder that all of them see")
        from irnet_keras.training.loop import train as run
        from irnet_keras.training.task import get_task

        place = str(data_dir) if data_dir else None
        data = get_task(config).load(config, place)
        folder = run_dir or run_folder.new_run_folder(config.name)
        if not run_dir:
            stack.enter_context(run_folder.discarding_empty(folder))
        if devices.writes:
            log(f"run folder: {folder}")
        summary = run(
            config, folder, resume=resume, data_dir=place, data=data, devices=devices, log=log
        )
    if not write_json(json_file, summary):
        for key, value in summary.items():
            print(f"{key}: {value}")
