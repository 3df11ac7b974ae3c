"""Trainings that differ in one thing, over seeds: IR-Net's ablation, and parts of recipes.

    python benchmarks/ablation.py --out RESULTS.jsonl [--study estimators|recipe] [--epochs 6]
        [--train-images 6000] [--seeds 4] [--network resnet8|resnet20|...] [--recipe R]
        [--set key=value ...] [--split validation|test] [--data-dir DIR] [--jobs 2] [--report]

``estimators``: plain STE sign, ApproxSign, EDE from t = 1e-3 and from 1e-1 (kernels and activations
alike), each with and without Libra-PB; without it, kernels are the sign of latents clipped to
[-1, 1] and have no scale. ``recipe``: the recipe as it is, and with one thing more each
(ablation_studies.py). All arms have the same epochs, learning rate, and per seed the same initial
weights, order and augmentation of images. One line per training is added to ``--out``; trainings
found there are not repeated, so a killed command loses at most the ``--jobs`` trainings it was at.
Accuracy is that behind the last epoch, on validation images cut from the training split (default)
or all test images. Every training runs on one thread. ``--report`` prints the table of what is
there.

The table has mean, standard deviation and 95 % t-interval over seeds, and the mean difference to
the first arm, paired by seed. A difference whose interval includes 0 is marked.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ablation_studies import AS_IT_IS, STUDIES, Study, recipe_arms

from irnet_keras.errors import CheckFailed, IrnetError, UsageError
from irnet_keras.models.networks import NETWORKS
from irnet_keras.near import accepted
from irnet_keras.recipes import get_recipe
from irnet_keras.training.config import TrainConfig, parse_set

# Student's t, 97.5 %, for 1, 2, ... degrees of freedom.
_T975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179,
         2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093)  # fmt: skip
MAX_SEEDS = len(_T975) + 1
# Not in the registry: ResNet-20 with one block a stage, about a third of its cost.
SMALL: dict[str, tuple[str, dict[str, Any]]] = {"resnet8": ("resnet20", {"blocks": [1, 1, 1]})}
Results = dict[str, dict[int, float]]


def configuration(options: argparse.Namespace, seed: int) -> tuple[TrainConfig, dict[str, Any]]:
    """Configuration of all arms, and the network's settings that no recipe has.

    Raises:
        UsageError: naming what does not fit.
    """
    recipe = get_recipe(options.recipe)
    known = [*SMALL, *(n for n, dataset in NETWORKS if dataset == recipe.dataset)]
    if options.network not in known:
        raise UsageError(
            f"--network: unknown network {options.network!r}; {accepted(options.network, known)}"
        )
    network, settings = SMALL.get(options.network, (options.network, {}))
    values = {"network": network, "epochs": options.epochs, "train_images": options.train_images}
    given = parse_set(options.set)
    for name in (*values, "seed"):
        if name in given:
            raise UsageError(f"{name} has an option of its own; leave it out of --set")
    config = recipe.with_overrides({**values, "seed": seed, **given})
    if config.precision != "w1a1":
        raise UsageError(f"precision must be w1a1, got {config.precision}")
    if options.split == "validation" and not config.validation_images:
        raise UsageError("--split validation needs validation_images, got 0")
    if options.study == "recipe":  # refuses what an arm cannot be trained with
        arms = {name: config.with_overrides(new) for name, new in recipe_arms(config).items()}
        config = arms[options.one[0] if options.one else AS_IT_IS]
    return config, settings


def settings_of(options: argparse.Namespace) -> dict[str, Any]:
    """What all lines of a file of results have in common."""
    config, settings = configuration(options, 0)
    own = STUDIES[options.study].own_fields
    values = config.model_dump(mode="json", exclude={"seed", *own})
    return {"split": options.split, "network_settings": settings, "config": values}


def read_results(path: Path, settings: dict[str, Any], study: Study) -> Results:
    """Accuracy by arm and seed; a torn last line is cut off.

    Raises:
        UsageError: a damaged file, or one of other settings.
    """
    found: Results = {name: {} for name in study.names}
    if not path.exists():
        return found
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        os.truncate(path, len(whole.encode()))
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            row = json.loads(line)
            arm, seed, accuracy = str(row["arm"]), int(row["seed"]), float(row["accuracy"])
            stored = _completed(dict(row["settings"]), settings)
            found[arm][seed] = accuracy
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"{path}, line {number}, is not a result of this study") from error
        if stored != settings:
            raise UsageError(f"{path}, line {number}, has other settings; give another --out")
    return found


def _completed(stored: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """With the defaults of what the configuration had no field for when the line was written."""
    if "config" not in stored:
        return stored
    fields = {k: v.default for k, v in TrainConfig.model_fields.items() if k in settings["config"]}
    return {**stored, "config": {**fields, **stored["config"]}}


def interval(values: list[float]) -> tuple[float, float, float]:
    """Mean, standard deviation and half of the 95 % interval of the mean (NaN for one value)."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, math.nan, math.nan
    spread = statistics.stdev(values)
    return mean, spread, _T975[len(values) - 2] * spread / math.sqrt(len(values))


def table(results: Results, study: Study) -> Iterator[str]:
    """The report as lines of Markdown, in percent and percentage points."""
    yield "| arm | seeds | mean, % | std | 95 % interval | difference to the first, points |"
    yield "| --- | --- | --- | --- | --- | --- |"
    reference = study.names[0]
    for name in study.names:
        values = [100 * v for v in results[name].values()]
        if not values:
            yield f"| {name} | 0 | | | | |"
            continue
        mean, spread, half = interval(values)
        cells = f"{mean:.2f} | | "
        if len(values) > 1:
            cells = f"{mean:.2f} | {spread:.2f} | {mean - half:.2f} to {mean + half:.2f}"
        difference = "reference"
        if name != reference:
            difference = _difference(_paired(results, [name], [reference]))
        yield f"| {name} | {len(values)} | {cells} | {difference} |"
    if study.contrasts:
        yield ""
    for title, ours, others in study.contrasts:
        yield f"{title}: {_difference(_paired(results, ours, others))}"


def _paired(results: Results, ours: list[str], others: list[str]) -> list[float]:
    """Per seed that all arms have: mean of ``ours`` minus mean of ``others``, in points."""
    seeds = set.intersection(*(set(results[name]) for name in [*ours, *others]))
    return [
        100 * (statistics.fmean(results[n][s] for n in ours))
        - 100 * (statistics.fmean(results[n][s] for n in others))
        for s in sorted(seeds)
    ]


def _difference(values: list[float]) -> str:
    if not values:
        return "not known yet"
    mean, _, half = interval(values)
    if math.isnan(half):
        return f"{mean:+.2f} (one seed: no interval)"
    mark = " (includes 0)" if abs(mean) <= half else ""
    return f"{mean:+.2f} [{mean - half:+.2f}, {mean + half:+.2f}]{mark}"


def train_all(options: argparse.Namespace, settings: dict[str, Any], results: Results) -> None:
    """Run what is missing, seed by seed, and add a line for each.

    Raises:
        CheckFailed: naming the first training that failed.
    """
    missing = [
        (name, seed)
        for seed in range(options.seeds)
        for name in STUDIES[options.study].names
        if seed not in results[name]
    ]

    def one(task: tuple[str, int]) -> None:
        name, seed = task
        words = [sys.executable, __file__, *sys.argv[1:], "--one", name, str(seed)]
        threads = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
        begun = time.monotonic()
        out = subprocess.run(
            words, capture_output=True, text=True, env={**os.environ, **threads}, check=False
        )
        if out.returncode:
            reason = (out.stderr.strip().splitlines() or ["no message"])[-1]
            raise CheckFailed(f"{name}, seed {seed}: {reason}")
        row = {"arm": name, "seed": seed, **json.loads(out.stdout.splitlines()[-1])}
        with open(options.out, "a") as file:  # one write: lines of other trainings stay whole
            file.write(json.dumps({**row, "settings": settings}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        results[name][seed] = row["accuracy"]
        seconds = time.monotonic() - begun
        print(f"{name}, seed {seed}: {100 * row['accuracy']:.2f} %, {seconds:.0f} s",
              file=sys.stderr, flush=True)  # fmt: skip

    with ThreadPoolExecutor(options.jobs) as pool:
        running = [pool.submit(one, task) for task in missing]
        try:
            for future in running:
                future.result()
        except BaseException:
            for future in running:
                future.cancel()
            raise


def train_one(options: argparse.Namespace) -> None:
    """One training in this process; its result is the last line of stdout."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from irnet_keras.training.task import get_task

    name, seed = options.one[0], int(options.one[1])
    config, settings = configuration(options, seed)
    data_dir = str(options.data_dir) if options.data_dir else None
    data = get_task(config).load(config, data_dir)
    if options.study == "recipe":
        from ablation_recipes import train_recipe

        accuracy = train_recipe(config, settings, data, options.split, data_dir)
    else:
        from ablation_arms import ARMS, train_arm

        accuracy = train_arm(ARMS[name], config, settings, data, options.split, data_dir)
    print(json.dumps({"accuracy": accuracy, "cpu_seconds": round(time.process_time(), 1)}))


def main() -> int:
    """Parse, train what is missing, print the table; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON lines, added to")
    parser.add_argument("--study", choices=STUDIES, default="estimators")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--train-images", type=int, default=6000)
    parser.add_argument("--seeds", type=int, default=4, help=f"2 to {MAX_SEEDS}")
    parser.add_argument("--network", default="resnet8", help="resnet8, or a recipe's network")
    parser.add_argument("--recipe", default="resnet20-w1a1-cifar10-short")
    parser.add_argument("--set", action="append", default=[], help="key=value of the recipe")
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time")
    parser.add_argument("--report", action="store_true", help="only print the table")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not 2 <= options.seeds <= MAX_SEEDS:
        raise UsageError(f"--seeds must be 2 to {MAX_SEEDS}, got {options.seeds}")
    if options.jobs < 1:
        raise UsageError(f"--jobs must be at least 1, got {options.jobs}")
    if options.one:
        train_one(options)
        return 0
    settings = settings_of(options)
    if not options.out.absolute().parent.is_dir():
        raise UsageError(f"--out {options.out}: folder {options.out.parent} does not exist")
    study = STUDIES[options.study]
    results = read_results(options.out, settings, study)
    if not options.report:
        train_all(options, settings, results)
    count = settings["config"]["validation_images"] if options.split == "validation" else 10_000
    print(f"{options.network}, {options.train_images} images, {options.epochs} epochs, "
          f"accuracy of the last epoch on {count} {options.split} images\n")  # fmt: skip
    print("\n".join(table(results, study)))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except IrnetError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
