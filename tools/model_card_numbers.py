"""Measure what a model card shows; see ``tools/model_cards.py``."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from irnet_keras.errors import CheckFailed, UsageError
from irnet_keras.models import MODELS, get_entry

SCHEMA = "irnet.card/1"
# Metrics that irnet eval may give, what they are called, and the unit behind the value.
METRICS = {
    "accuracy": "accuracy",
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "bicubic_psnr": "PSNR of bicubic enlargement, dB",
    "bicubic_ssim": "SSIM of bicubic enlargement",
}


def measure(name: str, data_dir: Path | None, bench: Path | None) -> dict[str, Any]:
    """Convert, score and time a model.

    Raises:
        UsageError: a model without weights.
        CheckFailed: one of the commands failed.
    """
    entry = get_entry(name)
    if entry.weights is None:
        raise UsageError(f"{name} has no shipped weights")
    (twin,) = [
        n
        for n, e in MODELS.items()
        if (e.network, e.dataset, e.precision) == (entry.network, entry.dataset, "float32")
    ]
    untrained = [] if get_entry(twin).weights else ["--untrained"]
    with tempfile.TemporaryDirectory() as folder:
        run = Commands(Path(folder), data_dir)
        files = [
            run.make(f"float32{' of the twin' * (name != twin)}", f"{twin}-float32.tflite",
                     "baseline", twin, "--format", "float32", *untrained),
            run.make(f"int8{' of the twin' * (name != twin)}", f"{twin}-int8.tflite",
                     "baseline", twin, "--format", "int8", *untrained),
        ]  # fmt: skip
        if name != twin:
            what = "1-bit" if entry.precision == "w1a1" else "binary weights"
            files.append(run.make(what, f"{name}.tflite", "convert", name))
        own = files[-1:] if name != twin else files
        scores = run.scores("Keras", name, entry.dataset)
        for file in own:
            runtimes = ("delegate", "lce") if entry.precision == "w1a1" else ("auto",)
            for runtime in runtimes:
                scores += run.scores(file["name"], file["file"], entry.dataset, runtime)
        return {
            "schema_id": SCHEMA,
            "model": name,
            "weights_sha256": entry.sha256,
            "counts": _counts(name),
            "scores": scores,
            "files": files,
            "latency": _timed(run, files, bench),
            "limits": _limits(name),
        }


class Commands:
    """Runs ``irnet`` in a folder of its own and keeps the commands as a reader would type them."""

    def __init__(self, folder: Path, data_dir: Path | None) -> None:
        self._folder = folder
        self._data = ["--data-dir", str(data_dir.absolute())] if data_dir else []

    def json(self, *words: str) -> tuple[Any, str]:
        """The ``--json`` result of a command, and the command."""
        print(" ".join(words), file=sys.stderr, flush=True)
        data = self._data if words[0] == "eval" else []
        out = subprocess.run(
            [sys.executable, "-m", "irnet_cli", *words, *data, "--json", "result.json"],
            cwd=self._folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if out.returncode:
            reason = (out.stderr.strip().splitlines() or ["no message"])[-1]
            raise CheckFailed(f"irnet {' '.join(words)}: {reason}")
        shown = " ".join(["irnet", *words, *(["--data-dir", "DIR"] if data else [])])
        return json.loads((self._folder / "result.json").read_text()), shown

    def make(self, what: str, file: str, *words: str) -> dict[str, Any]:
        """A file and its size."""
        _, command = self.json(*words, "-o", file)
        size = (self._folder / file).stat().st_size
        return {"name": what, "file": file, "bytes": size, "command": command}

    def scores(
        self, what: str, model: str, data: str, runtime: str = "auto"
    ) -> list[dict[str, Any]]:
        """Every metric on the whole test split."""
        chosen = [] if runtime == "auto" else ["--runtime", runtime]
        found, command = self.json("eval", model, "--data", data, *chosen)
        where = found["runtime"] if what == "Keras" else f"{what}: {found['runtime']}"
        return [
            {
                "runtime": where,
                "metric": title,
                "value": found[key],
                "num_examples": found["num_examples"],
                "command": command,
            }
            for key, title in METRICS.items()
            if key in found and (what == "Keras" or not key.startswith("bicubic"))
        ]


def _counts(name: str) -> dict[str, int]:
    import irnet_keras.models as models
    from irnet_keras.models.counting import count

    found = count(models.load(name))
    keys = ("params", "binary_params", "float_macs", "binary_macs")
    return {key: int(getattr(found, key)) for key in keys}


def _limits(name: str) -> list[str]:
    """What the weights' file itself costs."""
    from irnet_keras.models import weights_path
    from irnet_keras.models.weights import load_arrays

    if all(a.dtype != "float16" for a in load_arrays(weights_path(name))[0].values()):
        return []
    return [
        "Kernels are stored as float16; Keras computes with them in float32. The scores under "
        "Training are of the weights before this rounding."
    ]


def _timed(run: Commands, files: list[dict[str, Any]], bench: Path | None) -> dict[str, Any]:
    from edge_bench.schema import parse_bench

    if bench is not None:
        value = json.loads(bench.read_text())
        command = " ".join(value["context"]["command"])
    else:
        both = ["--runtime", "delegate", "--runtime", "lce"]
        value, command = run.json("bench", *(f["file"] for f in files), *both)
    result = parse_bench(value, str(bench or "irnet bench")).model_dump(mode="json")
    keys = ("name", "engine", "threads", "median_ms", "mad_ms", "p90_ms", "ratio")
    context = result["context"]
    return {
        "command": command,
        "cpu_model": context["cpu_model"],
        "cores": context["cores"],
        "date": context["date"],
        "load_average": context["before"]["load_average"],
        "builds": [{key: build[key] for key in keys} for build in result["builds"]],
    }
