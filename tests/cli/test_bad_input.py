"""Bad input ends in one clear line and status 2, and nothing on disk changes."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import warm
from model_files import binary_conv, write_lce

from converters.runtimes import accuracy
from irnet_keras.errors import CheckFailed
from irnet_keras.recipes import get_recipe

# command, what the line must contain; {tmp} is a folder with the files made below
CASES = [
    ("train nope", "unknown recipe 'nope'; accepted: resnet20-w1a1-cifar10-short"),
    ("train resnet20-w1a1-cifar10-short --set lr=1", "unknown setting 'lr'; accepted: name"),
    ("train resnet20-w1a1-cifar10-short --epochs 0", "epochs: Input should be greater than"),
    ("train resnet20-w1a1-cifar10-short --epochs x", "Invalid value for '--epochs'"),
    ("train resnet20-w1a1-cifar10-paper --resume", "nothing to resume: no run of resnet20-w1a1"),
    (
        "train resnet20-w1a1-cifar10-short --resume --run-dir {tmp}/empty",
        "is not a run folder: it has no config.json",
    ),
    (
        "train resnet20-w1a1-cifar10-short --run-dir {tmp}/run --data-dir {tmp}/empty",
        "CIFAR-10 is not in {tmp}/empty; run: irnet data prepare cifar10",
    ),
    ("train resnet20-w1a1-cifar10-short --run-dir {tmp}/file/x", "cannot create folder"),
    ("eval resnet20-w1a1-cifar10 --data cifar10 --data-dir {tmp}/damaged", "cannot be read"),
    ("data prepare cifar10 --data-dir {tmp}/damaged", "cannot be read"),
    (
        "train resnet20-w1a1-cifar10-short --resume --run-dir {tmp}/other",
        "{tmp}/other is a run of resnet20-w1a1-cifar10-paper, not of",
    ),
    ("train vgg-smal-w1a1-cifar10-paper", "did you mean vgg-small-w1a1-cifar10-paper or"),
    (
        "train resnet18-w1a1-imagenet-paper --run-dir {tmp}/run --data-dir {tmp}/empty",
        "ImageNet is not in {tmp}/empty; put ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar",
    ),
    (
        "eval resnet20-w1a1-cifar10 --data cifar100 --data-dir {tmp}/empty",
        "resnet20-w1a1-cifar10 has 10 classes, cifar100 100: train one with num_classes=100",
    ),
    ("convert vgg-small-w1a1-cifar1 -o {tmp}/o.tflite", "did you mean vgg-small-w1a1-cifar10 or"),
    (
        "import-torch {tmp}/file --model resnet22-w1a1-cifar10 -o {tmp}/o.safetensors",
        "did you mean",
    ),
    ("data prepare imagenet", "unknown data set 'imagenet'; accepted: cifar10"),
    ("data prepare cifar10 --source web", "--source must be one of auto, tfds, npm, got 'web'"),
    ("data prepare cifar10 --data-dir {tmp}/file", "cannot create folder {tmp}/file"),
    ("eval {tmp}/missing.tflite --data sample", "{tmp}/missing.tflite"),
    ("eval {tmp}/file --data sample", "{tmp}/file"),
    ("eval {tmp}/eight.tflite --data sample", "{tmp}/eight.tflite"),
    ("eval {tmp}/bad.safetensors --data sample", "is not a readable safetensors file"),
    ("eval resnet99 --data sample", "resnet99"),
    ("eval resnet20-w1a1-cifar10 --data imagenet", "imagenet"),
    (
        "eval resnet20-w1a1-cifar10 --data sample --runtime lce",
        "--runtime and --kernel go with a .tflite file, got 'resnet20-w1a1-cifar10'",
    ),
    ("eval resnet20-w1a1-cifar10 --data cifar10 --data-dir {tmp}/empty", "irnet data prepare"),
    ("convert resnet99 -o {tmp}/o.tflite", "MODEL 'resnet99' is neither a file nor a registry"),
    ("convert resnet20-w1a1-cifar10 -o {tmp}/no/o.tflite", "{tmp}/no"),
    ("convert {tmp}/empty -o {tmp}/o.tflite", "is not a SavedModel"),
    ("convert {tmp}/bad.safetensors --untrained -o {tmp}/o.tflite", "--untrained goes with a"),
    ("convert {tmp}/bad.h5 -o {tmp}/o.tflite", "{tmp}/bad.h5 is not an HDF5 file"),
    ("convert {tmp}/bad.keras -o {tmp}/o.tflite", "{tmp}/bad.keras is not a .keras file"),
    (
        "baseline {tmp}/bad.h5 --model x --format int8 -o {tmp}/o",
        "--model must be a registry or recipe name, got 'x'; accepted",
    ),
    (
        "eval {tmp}/eight.tflite --data sample --trust",
        "--trust goes with a Keras file or SavedModel",
    ),
    ("explain {tmp}/eight.tflite --model x", "--model goes with a Keras file or SavedModel"),
    ("baseline resnet20-float32-cifar10 --format int4 -o {tmp}/o.tflite", "int4"),
    ("verify resnet20-w1a1-cifar10 {tmp}/missing.tflite --untrained", "{tmp}/missing.tflite"),
    ("verify resnet20-w1a1-cifar10 {tmp}/eight.tflite --untrained", "{tmp}/eight.tflite"),
    ("convert resnet20-w1a1-cifar10 -o {tmp}/o.tflite --target arm", "--target must be one of lce"),
    (
        "convert resnet20-w1a1-cifar10 -o {tmp}/o.tflite --leftovers int4",
        "--leftovers must be one of float32, int8-weights, int8, got 'int4'",
    ),
    (
        "convert resnet20-w1a1-cifar10 -o {tmp}/o.tflite --representative {tmp}/empty",
        "--representative goes with --leftovers int8-weights or int8",
    ),
    (
        "convert resnet20-w1a1-cifar10 -o {tmp}/o --leftovers int8 --representative {tmp}/no",
        "--representative must be a folder of images or an .npz file",
    ),
    ("explain {tmp}/missing.tflite", "cannot read {tmp}/missing.tflite: No such file"),
    ("explain {tmp}/eight.tflite", "{tmp}/eight.tflite: damaged .tflite file"),
    ("explain {tmp}/empty", "is not a SavedModel"),
    ("explain resnet99", "MODEL 'resnet99' is neither a file nor a registry"),
    ("explain {tmp}/eight.tflite --untrained", "--untrained goes with a registry name"),
    ("explain {tmp}/eight.tflite --overlay colour", "--overlay must be one of kind, macs, time"),
    ("explain {tmp}/eight.tflite --profile --runs 2", "--runs must be at least 5, got 2"),
    ("explain {tmp}/eight.tflite --profile --threads 99", "--threads must be from 1 to 32, got 99"),
    ("explain {tmp}/eight.tflite --node-data {tmp}/no/x.json", "{tmp}/no"),
    (
        "explain {tmp}/eight.tflite --node-data {tmp}/eight.tflite",
        "--node-data {tmp}/eight.tflite would overwrite FILE_OR_MODEL",
    ),
    ("verify-file {tmp}/eight.tflite", "{tmp}/eight.tflite"),
    ("bench {tmp}/missing.tflite", "{tmp}/missing.tflite"),
    ("bench {tmp}/file", "{tmp}/file"),
    ("bench {tmp}/eight.tflite --num-runs 3", "--num-runs must be at least 30, got 3"),
    ("bench {tmp}/eight.tflite --threads 33", "--threads must be from 1 to 32, got 33"),
    ("bench {tmp}/file --json {tmp}/file", "--json {tmp}/file would overwrite FILES {tmp}/file"),
    ("bench {tmp}/file --json {tmp}/link", "--json {tmp}/link would overwrite FILES {tmp}/file"),
    ("bench {tmp}/link --json {tmp}/file", "--json {tmp}/file would overwrite FILES {tmp}/link"),
    (
        "eval {tmp}/eight.tflite --data sample --json {tmp}/empty/../eight.tflite",
        "--json {tmp}/empty/../eight.tflite would overwrite MODEL {tmp}/eight.tflite",
    ),
    (
        "convert resnet20-w1a1-cifar10 --out same.x --json same.x",
        "--json same.x would overwrite --out same.x",
    ),
    (
        "convert {tmp}/bad.safetensors -o {tmp}/bad.safetensors",
        "--out {tmp}/bad.safetensors would overwrite MODEL {tmp}/bad.safetensors",
    ),
    (
        "baseline {tmp}/other --format int8 -o {tmp}/other/config.json",
        "--out {tmp}/other/config.json would overwrite MODEL {tmp}/other",
    ),
    (
        "verify {tmp}/bad.safetensors {tmp}/file --json {tmp}/file",
        "--json {tmp}/file would overwrite FILE {tmp}/file",
    ),
    (
        "verify {tmp}/bad.safetensors {tmp}/file --json {tmp}/bad.safetensors",
        "--json {tmp}/bad.safetensors would overwrite MODEL {tmp}/bad.safetensors",
    ),
    ("report {tmp}/file -o {tmp}/file", "--output {tmp}/file would overwrite RESULTS {tmp}/file"),
    ("report {tmp}/file -o {tmp}/r.html", "{tmp}/file"),
    ("report {tmp}/missing.json -o {tmp}/r.html", "{tmp}/missing.json"),
    ("quickstart --out {tmp}/file", "cannot create folder {tmp}/file"),
    ("quickstart --out {tmp}/q --train-seconds 1", "--train-seconds must be at least 10"),
    ("quickstart --out {tmp}/q --train-seconds nan", "at most 1000000, got nan"),
    ("models --json {tmp}/no/x.json", "{tmp}/no"),
    ("frobnicate", "No such command 'frobnicate'"),
    ("models --colour", "No such option: --colour"),
]


def irnet(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "irnet_cli", *words],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        timeout=300,
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def tmp(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("not a model\n")
    (tmp_path / "eight.tflite").write_bytes(b"\x08\0\0\0TFL3")
    (tmp_path / "bad.safetensors").write_bytes(b"\xff" * 100)
    for suffix in ("h5", "keras"):
        (tmp_path / f"bad.{suffix}").write_bytes(b"\xff" * 100)
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    damaged = tmp_path / "damaged" / "cifar10" / "3.0.2"
    damaged.mkdir(parents=True)
    (damaged / "dataset_info.json").write_text("garbage")
    (tmp_path / "other").mkdir()
    config = get_recipe("resnet20-w1a1-cifar10-paper").model_dump_json()
    (tmp_path / "other" / "config.json").write_text(config)
    return tmp_path


@pytest.mark.parametrize(("command", "message"), CASES)
def test_one_line_and_status_two(tmp, command, message):
    before = contents(tmp)
    out = warm.irnet(*command.format(tmp=tmp).split(), cwd=tmp)
    errors = [line for line in out.stderr.splitlines() if line.startswith("irnet: error: ")]
    assert out.returncode == 2, out.stderr
    assert len(errors) == 1
    assert out.stderr.splitlines()[-1] == errors[0]
    assert message.format(tmp=tmp) in errors[0]
    assert "Traceback" not in out.stderr
    assert out.stdout == ""
    after = contents(tmp)
    assert {k: after.get(k) for k in before} == before
    assert not [k for k in after if k.endswith((".tflite", ".html", ".json")) and k not in before]


def test_a_delegate_that_is_missing_is_one_line_and_status_two(tmp):
    file = write_lce(binary_conv(), tmp / "binary.tflite")
    for command in (["bench", file], ["bench", file, "--runtime", "delegate"]):
        out = irnet(*map(str, command), LCE_DELEGATE_LIBRARY=str(tmp / "none.so"))
        assert out.returncode == 2
        assert out.stderr.splitlines() == [
            "irnet: error: lce_delegate: LCE_DELEGATE_LIBRARY must be the path of "
            f"liblce_delegate.so, got '{tmp}/none.so': no such file; unset it to use the "
            "installed package's own (pip install ./native); or choose --runtime lce"
        ]
        assert out.stdout == ""


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("models > /dev/full", "No space left on device"),
        ("models --json - > /dev/full", "No space left on device"),
        ("bench --help > /dev/full", "No space left on device"),
        ("models >&-", "it is closed"),
    ],
)
def test_an_unwritable_stdout_is_one_line_and_status_two(command, reason, unbuffered):
    out = subprocess.run(
        ["bash", "-c", f"'{sys.executable}' -m irnet_cli {command}"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )
    assert out.returncode == 2
    assert out.stderr == f"irnet: error: cannot write to stdout: {reason}\n"


def test_an_interrupt_is_one_line_and_status_130(tmp):
    file = write_lce(binary_conv(), tmp / "binary.tflite")
    words = [sys.executable, "-m", "irnet_cli", "bench", str(file), "--num-runs", "1000000"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while "measuring" not in (line := process.stderr.readline()):
        assert line, "it ended"
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout, stderr) == (130, "", "irnet: interrupted\n")


def test_an_interrupt_before_the_imports_are_done_is_one_line_and_status_130():
    code = (
        "import sys\n"
        "class Stop:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'typer':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Stop())\n"
        "from irnet_cli.__main__ import main\n"
        "main()\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (out.returncode, out.stdout, out.stderr) == (130, "", "irnet: interrupted\n")


def test_an_interrupt_ends_every_process_that_scores(tmp, monkeypatch):
    """One part is interrupted; the other would wait for ever if nothing ended it."""
    ended = threading.Event()

    class Process:
        engine = ""

        def __init__(self, *args, **kwargs):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *args):
            pass

        def run(self, images):
            if images[0] == 0:
                raise KeyboardInterrupt
            assert ended.wait(60)
            raise CheckFailed("closed")

        def close(self):
            ended.set()

    monkeypatch.setattr(accuracy, "TFLiteProcess", Process)
    monkeypatch.setattr(accuracy, "engine_for", lambda *args: "lce")
    with pytest.raises(KeyboardInterrupt):
        accuracy.tflite_accuracy("x", np.arange(2), np.arange(2), lambda x: x, processes=2)
    assert ended.is_set()


def test_json_follows_links_and_leaves_pipes(tmp):
    (tmp / "link.json").symlink_to(tmp / "real.json")
    assert irnet("models", "--json", str(tmp / "link.json")).returncode == 0
    assert (tmp / "link.json").is_symlink()
    assert (tmp / "real.json").read_text().startswith("[")
    os.mkfifo(tmp / "pipe")
    end = os.open(tmp / "pipe", os.O_RDWR)  # so that neither side waits
    assert irnet("models", "--json", str(tmp / "pipe")).returncode == 0
    assert (tmp / "pipe").is_fifo()
    assert os.read(end, 1) == b"["
    os.close(end)


def test_keras_3_is_refused_in_one_line():
    out = irnet("models", TF_USE_LEGACY_KERAS="0")
    assert out.returncode == 2
    assert out.stderr.splitlines() == [
        "irnet: error: TF_USE_LEGACY_KERAS='0' asks for Keras 3, which Larq cannot use; "
        "unset it or set TF_USE_LEGACY_KERAS=1"
    ]


def test_tensorflow_imported_first_with_keras_3_is_refused():
    environment = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    out = subprocess.run(
        [sys.executable, "-c", "import tensorflow\nimport irnet_keras"],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert out.returncode == 1
    assert out.stderr.splitlines()[-1].startswith(
        "irnet_keras.errors.UsageError: TensorFlow was imported with Keras 3 before irnet_keras;"
    )


def test_no_command_shows_help_with_status_two():
    out = irnet()
    assert out.returncode == 2
    assert "quickstart" in out.stdout + out.stderr
