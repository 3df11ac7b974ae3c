"""Model cards, ``docs/models/NAME.md``, of every registry model with shipped weights.

    python tools/model_cards.py                      write all cards from the numbers beside them
    python tools/model_cards.py --check              fail if a card is missing or out of date
    python tools/model_cards.py --measure NAME --data-dir DIR [--bench RESULTS.json]

``--measure`` converts, scores all test images in Keras, LCE and the delegate, and times the files
(or takes the times from a result of ``irnet bench``, given with ``--bench``), each by the command
that the card shows; it writes ``docs/models/NAME.json``. Cards are text made from that file, the
registry and ``docs/runs/NAME``, beside the curve of that run; making them measures nothing.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from model_card_curve import is_current, write_curve
from model_card_numbers import SCHEMA, measure

from irnet_keras.errors import CheckFailed, IrnetError, UsageError
from irnet_keras.files import atomic_write
from irnet_keras.models import MODELS, ModelEntry
from irnet_keras.recipes import RECIPES

ROOT = Path(__file__).parent.parent
CARDS = ROOT / "docs" / "models"
RUNS = ROOT / "docs" / "runs"
_PRECISIONS = {
    "w1a1": "binary weights and activations, but for the first and last layer",
    "w1a32": "binary weights, float activations; first and last layer float",
    "float32": "the float twin of the binary networks: the same graph, quantizers off",
}
_DATA = {
    "cifar10": "CIFAR-10 (Krizhevsky, 2009): {train:,} training images of the 50,000, the last "
    "{validation:,} are the validation split; all 10,000 test images are scored once, at the end.",
    "photos": "Photographs that packages ship (`irnet data prepare photos`), split by image; see "
    "[super-resolution](../explanation/super_resolution.md).",
}
_LIMITS = (
    "One training with one seed: another seed may score some tenths of a point differently.",
    "Images unlike the training data's are out of scope; no robustness against noise, shift or "
    "attack was measured.",
    "Latencies hold for the machine and load named beside them. No ARM device was measured.",
)


def shipped() -> dict[str, ModelEntry]:
    """Registry models with weights."""
    return {name: entry for name, entry in MODELS.items() if entry.weights is not None}


def card(name: str, entry: ModelEntry, numbers: dict[str, Any], runs: Path = RUNS) -> str:
    """The card as Markdown."""
    return "\n".join(_lines(name, entry, numbers, runs / name)) + "\n"


def _lines(name: str, entry: ModelEntry, numbers: dict[str, Any], run: Path) -> Iterator[str]:
    config, summary = (_read(run / f"{n}.json") for n in ("config", "summary"))
    counts = numbers["counts"]
    yield f"# {name}"
    yield ""
    yield "Made by `python tools/model_cards.py`; do not edit."
    yield ""
    yield f"{entry.network}, structure {entry.structure}: {_PRECISIONS[entry.precision]}."
    yield ""
    yield "```python"
    yield "from irnet_keras import models"
    yield ""
    yield f'model = models.load("{name}")'
    yield "```"
    yield ""
    yield "| | |"
    yield "| --- | --- |"
    yield f"| parameters | {counts['params']:,}, of these 1 bit each {counts['binary_params']:,} |"
    yield (
        f"| multiply-accumulates, one image | {counts['float_macs']:,} float, "
        f"{counts['binary_macs']:,} binary |"
    )
    yield f"| weights | `{entry.weights}`, SHA-256 `{entry.sha256}` |"
    yield "| licence | Apache-2.0, as the project |"
    yield ""
    yield "## Training"
    yield ""
    validation = config["validation_images"]
    data = _DATA.get(entry.dataset, f"Data set: {entry.dataset}.")
    yield data.format(train=50_000 - validation, validation=validation)
    yield ""
    yield f"Recipe `{config['name']}`. {_recipe_source(config['name'])}"
    yield ""
    yield "```bash"
    for start in _read(run / "environment.json"):
        yield " ".join(start["command"])
    yield "```"
    yield ""
    yield (
        f"{summary['epochs']} epochs. Log, configuration and versions: "
        f"[docs/runs/{name}](../runs/{name}/summary.json)."
    )
    yield ""
    yield f"![Training and validation over epochs]({name}.svg)"
    yield ""
    scores = {k.removeprefix("test_"): v for k, v in summary.items() if k.startswith("test_")}
    for key, value in scores.items():
        what, _, which = key.rpartition("_")
        if what.startswith("bicubic"):
            continue
        yield f"- {what} of the {which} weights on the test split: {_value(what, value)}"
    yield ""
    yield "## Accuracy"
    yield ""
    yield "| runs in | metric | value | images | command |"
    yield "| --- | --- | --- | --- | --- |"
    for s in numbers["scores"]:
        value = _value(s["metric"], s["value"])
        yield (
            f"| {s['runtime']} | {s['metric']} | {value} | {s['num_examples']:,} | "
            f"`{s['command']}` |"
        )
    yield ""
    yield "## Files"
    yield ""
    yield "| file | kB (1,000 bytes) | command |"
    yield "| --- | --- | --- |"
    for f in numbers["files"]:
        yield f"| {f['name']} | {f['bytes'] / 1000:,.1f} | `{f['command']}` |"
    yield ""
    yield from _latency(numbers.get("latency"))
    yield "## Limits"
    yield ""
    for limit in (*_LIMITS, *numbers.get("limits", [])):
        yield f"- {limit}"


def _latency(bench: dict[str, Any] | None) -> Iterator[str]:
    yield "## Latency"
    yield ""
    if bench is None:
        yield "Not measured."
        yield ""
        return
    yield "| file | median, ms | MAD, ms | p90, ms | ratio of medians (95 % interval) | runs in |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for b in bench["builds"]:
        ratio = "reference"
        if b["ratio"]:
            ratio = "{value:.2f} ({low:.2f} to {high:.2f})".format(**b["ratio"])
        times = " | ".join(f"{b[key]:.3f}" for key in ("median_ms", "mad_ms", "p90_ms"))
        yield f"| {b['name']} | {times} | {ratio} | {b['engine']} |"
    yield ""
    load = bench["load_average"]
    yield (
        f"One image, {bench['builds'][0]['threads']} thread, {bench['cpu_model']}, "
        f"{bench['cores']} usable cores, {bench['date'][:10]}; load average when it began "
        f"{'unknown' if load is None else format(load[0], '.1f')}. `{bench['command']}`"
    )
    yield ""


def _recipe_source(recipe: str) -> str:
    module = RECIPES.get(recipe)
    if module is None:
        return ""
    paragraphs = (importlib.import_module(module).__doc__ or "").split("\n\n")
    return " ".join(paragraphs[0].split())


def _value(metric: str, value: float) -> str:
    return f"{100 * value:.2f} %" if "accuracy" in metric else f"{value:.4g}"


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CheckFailed(f"{path} cannot be read ({error}); see tools/model_cards.py") from error


def read_numbers(name: str, entry: ModelEntry, folder: Path = CARDS) -> dict[str, Any]:
    """The measured numbers of a model.

    Raises:
        CheckFailed: missing, of other weights, or another accuracy than the registry's.
    """
    again = f"run: python tools/model_cards.py --measure {name} --data-dir DIR"
    path = folder / f"{name}.json"
    if not path.exists():
        raise CheckFailed(f"{name} ships weights but has no {path.name}; {again}")
    numbers: dict[str, Any] = _read(path)
    if numbers.get("schema_id") != SCHEMA:
        raise CheckFailed(f"{path.name} is not {SCHEMA}; {again}")
    if numbers["weights_sha256"] != entry.sha256:
        raise CheckFailed(f"{path.name} is of other weights than the registry's; {again}")
    expected = entry.test_psnr if entry.test_accuracy is None else entry.test_accuracy
    keras = [s["value"] for s in numbers["scores"] if s["runtime"].startswith("Keras")]
    if expected is not None and round(keras[0], 4) != round(expected, 4):
        raise CheckFailed(f"{path.name} has {keras[0]} in Keras, the registry {expected}; {again}")
    return numbers


def write_cards() -> None:
    """Write every card; remove those of models that ship no weights."""
    for name, entry in shipped().items():
        atomic_write(CARDS / f"{name}.md", card(name, entry, read_numbers(name, entry)))
        write_curve(RUNS / name, CARDS / f"{name}.svg")
    for path in _strays(CARDS):
        path.unlink()


def check_cards(folder: Path = CARDS) -> None:
    """Compare cards with what they are made of.

    Raises:
        CheckFailed: naming the first card that is missing, out of date or of no model.
    """
    for name, entry in shipped().items():
        expected = card(name, entry, read_numbers(name, entry, folder))
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text() != expected:
            raise CheckFailed(f"{path.name} is out of date; run: python tools/model_cards.py")
        if not is_current(RUNS / name, folder / f"{name}.svg"):
            raise CheckFailed(f"{name}.svg is out of date; run: python tools/model_cards.py")
    for path in _strays(folder):
        raise CheckFailed(f"{path.name} is of no model with weights; remove it")


def _strays(folder: Path) -> list[Path]:
    return [p for p in sorted(folder.iterdir()) if p.suffix in (".md", ".json", ".svg")
            and p.stem not in shipped()]  # fmt: skip


def main(words: list[str] | None = None) -> int:
    """Parse and do; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--measure", metavar="NAME")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--bench", type=Path, help="a result of irnet bench")
    options = parser.parse_args(words)
    if options.check and options.measure:
        raise UsageError("--check and --measure exclude each other")
    if options.check:
        check_cards()
    elif options.measure:
        numbers = measure(options.measure, options.data_dir, options.bench)
        atomic_write(CARDS / f"{options.measure}.json", json.dumps(numbers, indent=1) + "\n")
    else:
        write_cards()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except IrnetError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
