"""Diagnostics of a running training, and what `irnet inspect` makes of a run folder."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from typer.testing import CliRunner

from edge_bench.run_page import render_run_page
from irnet_cli.app import app
from irnet_keras.errors import UsageError
from irnet_keras.layers import Hardtanh
from irnet_keras.models.parts import Parts
from irnet_keras.models.weights import assign_arrays, save_weights, variable_arrays
from irnet_keras.recipes import get_recipe
from irnet_keras.training.diagnostics import Diagnostics, GradientProbe, useful_share
from irnet_keras.training.information import kernel_signs
from irnet_keras.training.inspection import (
    DIAGNOSTICS,
    inspect_run,
    read_history,
    truncate_diagnostics,
)
from irnet_keras.training.run_folder import METRICS, write_config


def small_model(t: float = 2.0) -> tf.keras.Model:
    parts = Parts("w1a1", 0, t)
    x = image = tf.keras.layers.Input((4, 4, 2))
    x = Hardtanh()(x)
    x = parts.batch_norm(parts.conv(x, 3, 1, "one"), "one")
    x = parts.conv(Hardtanh()(x), 4, 1, "two")
    model = tf.keras.Model(image, tf.keras.layers.GlobalAveragePooling2D()(x))
    model.compile(tf.keras.optimizers.SGD(0.5), "mse", jit_compile=False)
    return model


def test_useful_share_by_hand():
    # t = 2: 2 * (1 - tanh(2x)**2) >= 0.1 up to |x| = 1.08, so only clipped values count out
    x = tf.constant([0.0, 0.5, -0.99, 1.0, -1.0])
    assert float(useful_share(x, tf.constant(2.0))) == pytest.approx(3 / 5)
    # t = 10: 10 * (1 - tanh(10x)**2) >= 0.1 up to |x| = 0.2993
    x = tf.constant([0.0, 0.29, 0.31, -0.5])
    assert float(useful_share(x, tf.constant(10.0))) == 0.5


def test_probe_sees_what_the_layers_get(rng):
    model = small_model(t=0.1)  # derivative 0.98 or more everywhere
    x = rng.normal(size=(8, 4, 4, 2)).astype(np.float32)
    shares = GradientProbe(model, x)()
    assert list(shares) == ["one", "two"]
    assert shares["one"] == pytest.approx(float((np.abs(x) < 1).mean()), abs=1e-6)


class Record(tf.keras.callbacks.Callback):
    """Weights after each epoch."""

    def __init__(self):
        super().__init__()
        self.states = []

    def on_epoch_end(self, epoch, logs=None):
        self.states.append(variable_arrays(self.model.weights))


def train(model, folder, seed, epochs=3, initial_epoch=0, diagnostics=True):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(8, 4, 4, 2)).astype(np.float32), rng.normal(size=(8, 4))
    record = Record()
    callbacks = [*([Diagnostics(folder, x)] if diagnostics else []), record]
    model.fit(x, y, 4, epochs, 0, callbacks, initial_epoch=initial_epoch, shuffle=False)
    return record.states


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Folder, first weights, and weights after each of three epochs."""
    folder = tmp_path_factory.mktemp("whole")
    tf.keras.utils.set_random_seed(1)
    model = small_model()
    first = variable_arrays(model.weights)
    return folder, [first, *train(model, folder, seed=1)]


def test_rows_hold_flips_since_the_epoch_before(whole):
    folder, states = whole
    rows = read_history(folder / DIAGNOSTICS)
    assert [row.epoch for row in rows] == [1, 2, 3]
    signs = [kernel_signs(s, ["one", "two"]) for s in states]
    for i, row in enumerate(rows):
        for info in row.layers:
            expected = (signs[i][info.layer] != signs[i + 1][info.layer]).mean()
            assert info.flip_rate == expected
            assert info.input_t == info.kernel_t == 2
            assert 0 < info.useful_gradient <= 1
    assert sum(info.flip_rate for row in rows for info in row.layers) > 0
    assert list((folder / "tensorboard" / "diagnostics").glob("events.*"))


def test_training_is_the_same_with_and_without(whole, tmp_path):
    tf.keras.utils.set_random_seed(1)
    states = train(small_model(), tmp_path, seed=1, diagnostics=False)
    for name, value in states[-1].items():
        np.testing.assert_array_equal(value, whole[1][-1][name], err_msg=name)


def test_continued_training_writes_the_same_rows(whole, tmp_path):
    folder, states = whole
    (tmp_path / DIAGNOSTICS).write_text((folder / DIAGNOSTICS).read_text())
    truncate_diagnostics(tmp_path, 1)
    model = small_model()
    assign_arrays(model.weights, states[1], "the state after epoch 1")
    train(model, tmp_path, seed=1, initial_epoch=1)
    assert (tmp_path / DIAGNOSTICS).read_text() == (folder / DIAGNOSTICS).read_text()


@pytest.fixture
def run(seed, tmp_path):
    """A run with diagnostics, two of four epochs done."""
    model = small_model()
    write_config(tmp_path, get_recipe("resnet20-w1a1-cifar10-short").with_overrides({"epochs": 4}))
    train(model, tmp_path, seed, epochs=2)
    save_weights(model, tmp_path / "last.safetensors", {"epoch": "2"})
    (tmp_path / METRICS).write_text("epoch,ede_t,loss,val_accuracy\n0,0.5,2.5,0.25\n1,2,1.5,\n")
    return tmp_path


def invoke(*words):
    return CliRunner().invoke(app, ["inspect", *map(str, words)])


def test_inspect_tells_what_the_run_recorded(run, tmp_path):
    out = invoke(run, "--json", tmp_path / "i.json", "-o", tmp_path / "page.html")
    assert out.exit_code == 0, out.output
    found = json.loads((tmp_path / "i.json").read_text())
    assert (found["epochs_done"], found["finished"], len(found["history"])) == (2, False, 2)
    assert found["metrics"] == {"ede_t": [0.5, 2], "loss": [2.5, 1.5], "val_accuracy": [0.25, None]}
    assert found["layers"] == json.loads((run / DIAGNOSTICS).read_text().splitlines()[-1])["layers"]
    assert "2 of 4 epochs, not finished" in out.stdout
    html = (tmp_path / "page.html").read_text()
    assert html.count("<svg") == html.count("<figure") == len(re.findall('aria-label="', html)) >= 5
    assert not re.search(r"<script|<link|url\((?!#)|(src|href)=\"[^#]", html)
    assert "#010203" not in html


def test_inspect_of_a_run_without_diagnostics_uses_its_weights(run, tmp_path):
    (run / DIAGNOSTICS).unlink()
    found = inspect_run(run)
    assert found.source == "last.safetensors, epoch 2"
    assert [i.layer for i in found.layers] == ["one", "two"]
    assert found.layers[0].entropy is not None
    assert found.layers[0].flip_rate is None
    assert "sign flips and gradients are unknown" in render_run_page(found)
    (run / "last.safetensors").unlink()
    (run / METRICS).unlink()
    empty = inspect_run(run)
    assert (empty.layers, empty.epochs_done) == ((), 0)
    assert "None: no epoch is complete yet" in render_run_page(empty)


def test_names_of_layers_are_whole_where_there_is_no_terminal(run):
    rows = [json.loads(line) for line in (run / DIAGNOSTICS).read_text().splitlines()]
    for row in rows:
        for number, layer in enumerate(row["layers"], start=1):
            layer["layer"] = f"stage3_block3_conv{number}"
    (run / DIAGNOSTICS).write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = invoke(run).stdout
    for text in ("stage3_block3_conv1", "stage3_block3_conv2", "Entropy, bits", "Useful gradient"):
        assert text in out


def test_bad_runs_are_refused(run, tmp_path):
    with pytest.raises(UsageError, match="RUN must be the folder of a run"):
        inspect_run(run / "config.json")
    (run / DIAGNOSTICS).write_text("{}\n")
    with pytest.raises(UsageError, match=r"diagnostics.jsonl, line 1, is not a row"):
        inspect_run(run)
    (run / "config.json").unlink()
    with pytest.raises(UsageError, match=r"is not a run folder: it has no config.json"):
        inspect_run(run)


def test_inspect_needs_no_tensorflow(run):
    code = (
        "import sys; from pathlib import Path; from edge_bench.run_page import render_run_page;"
        "from irnet_keras.training.inspection import inspect_run;"
        f"render_run_page(inspect_run(Path({str(run)!r}))); assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
