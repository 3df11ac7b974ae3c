"""``irnet train --dry-run``: what a recipe would cost."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from irnet_cli.output import log, start_devices, write_json
from irnet_keras.training.config import TrainConfig


def show_plan(
    config: TrainConfig, data_dir: Path | None, strategy: str, json_file: Path | None
) -> None:
    """Print configuration, layers, multiply-accumulates, memory and time.

    Raises:
        UsageError: no devices for the strategy, or a batch that does not fit data or devices.
    """
    devices = start_devices(strategy)
    from irnet_keras.training.plan import make_plan

    plan = make_plan(config, data_dir=str(data_dir) if data_dir else None, devices=devices, log=log)
    result: dict[str, Any] = {
        "config": config.model_dump(),
        "image": plan.image,
        "counts": {**asdict(plan.counts), "ops": plan.counts.ops},
        "memory_bytes": {**asdict(plan.memory), "estimate": plan.memory.estimate},
        "speed": asdict(plan.speed),
        "strategy": devices.name,
        "replicas": devices.replicas,
    }
    if write_json(json_file, result):
        return
    counts, memory, speed = plan.counts, plan.memory, plan.speed
    print(config.model_dump_json(indent=2))
    print(plan.summary)
    print(
        f"parameters: {counts.params:,}, {counts.binary_params:,} of them 1-bit\n"
        f"multiply-accumulates of one {'x'.join(map(str, plan.image))} image: "
        f"{counts.float_macs:,} float, "
        f"{counts.binary_macs:,} binary (FLOPs: twice as many)\n"
        f"memory at batch {config.batch_size}"
        + (f" on {devices.replicas} replicas, each" if devices.replicas > 1 else "")
        + f": about {_mib(memory.estimate)}: parameters {_mib(memory.parameters)}, gradients "
        f"{_mib(memory.gradients)}, optimizer {_mib(memory.optimizer)}, activations "
        f"{_mib(memory.activations)}; this process took {_mib(memory.peak_process)} at most\n"
        f"time, measured over {speed.steps_timed} steps on {speed.data}: "
        f"{speed.seconds_per_step * 1000:.0f} ms per step, "
        f"{config.batch_size / speed.seconds_per_step:.0f} images/s"
    )
    if speed.seconds_per_epoch is not None and speed.seconds_in_all is not None:
        print(
            f"expected: {speed.steps_per_epoch} steps and {speed.seconds_per_epoch:.0f} s per "
            f"epoch, {speed.seconds_in_all / 3600:.1f} h for {config.epochs} epochs"
        )


def _mib(count: int) -> str:
    return f"{count / 2**20:.1f} MiB"
