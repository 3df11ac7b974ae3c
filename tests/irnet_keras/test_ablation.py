"""benchmarks/ablation.py: arms that differ only in what they are named for; honest tables."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import larq as lq
import numpy as np
import pytest
import tensorflow as tf

from irnet_keras.errors import UsageError
from irnet_keras.quantizers import EDESign, LibraPB, libra_pb
from irnet_keras.recipes import get_recipe
from irnet_keras.training import compiling
from tests.irnet_keras.tiny_training import tiny_data

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
import ablation  # noqa: E402
import ablation_arms  # noqa: E402
from ablation_recipes import train_recipe  # noqa: E402
from ablation_studies import AS_IT_IS, STUDIES, recipe_arms  # noqa: E402

ESTIMATORS = STUDIES["estimators"]

TINY = {"blocks": (1,), "widths": (8,)}


@pytest.fixture(scope="module")
def models():
    config = get_recipe("resnet20-w1a1-cifar10-short")
    return {
        name: ablation_arms.compile_arm(arm, config, TINY)
        for name, arm in ablation_arms.ARMS.items()
    }


def test_the_command_knows_the_arms():
    assert tuple(ablation_arms.ARMS) == ESTIMATORS.names


def test_arms_begin_with_the_same_weights(models):
    first = models[ESTIMATORS.names[0]]
    values = {v.name: v.numpy() for v in first.trainable_variables}
    for name, model in models.items():
        assert {v.name for v in model.trainable_variables} == set(values), name
        for variable in model.trainable_variables:
            np.testing.assert_array_equal(variable.numpy(), values[variable.name])


def test_arms_have_the_quantizers_of_their_names(models):
    kinds = {"STE": lq.quantizers.SteSign, "App": lq.quantizers.ApproxSign, "EDE": EDESign}
    for name, model in models.items():
        layers = [m for m in model.layers if isinstance(m, lq.layers.QuantConv2D)]
        assert len(layers) == 2
        for layer in layers:
            kind, kernel = kinds[name[:3]], layer.kernel_quantizer
            assert type(layer.input_quantizer) is kind
            if "without" in name:
                assert type(kernel) is kind
                assert isinstance(layer.kernel_constraint, lq.constraints.WeightClip)
            else:
                assert type(kernel) is (LibraPB if kind is EDESign else ablation_arms.LibraKernel)
                assert layer.kernel_constraint is None
            if kind is EDESign:
                for quantizer in (layer.input_quantizer, kernel):
                    assert float(quantizer.t) == np.float32(name.split(",")[0].split()[1])


@pytest.mark.parametrize("estimator", ["ste", "approx"])
def test_libra_pb_with_another_estimator(estimator, rng):
    kernel = tf.constant(rng.normal(0.2, 3, (3, 3, 4, 5)), tf.float32)
    upstream = rng.normal(size=kernel.shape)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(kernel)
        binary = ablation_arms.LibraKernel(estimator)(kernel)
        u = (kernel - tf.reduce_mean(kernel, [0, 1, 2])) / tf.math.reduce_std(kernel, [0, 1, 2])
        u *= (35 / 36) ** 0.5
        loss = tf.reduce_sum(binary * upstream)
    np.testing.assert_array_equal(binary.numpy(), libra_pb(kernel).numpy())
    inside = np.abs(u.numpy()) <= 1
    slope = inside if estimator == "ste" else np.where(inside, 2 - 2 * np.abs(u.numpy()), 0)
    expected = tape.gradient(
        u, kernel, tf.constant(np.abs(binary.numpy()) * slope * upstream, tf.float32)
    )
    np.testing.assert_allclose(tape.gradient(loss, kernel), expected, rtol=1e-4, atol=1e-5)


def results(rng, shift, seeds=4):
    values = {n: dict(enumerate(rng.normal(0.4, 0.001, seeds))) for n in ESTIMATORS.names}
    for name in values:
        if "with Libra" in name:
            values[name] = {s: v + shift for s, v in values[name].items()}
    return values


def test_interval_by_hand():
    mean, spread, half = ablation.interval([1.0, 2.0, 6.0])
    assert (mean, spread) == pytest.approx((3, 7**0.5))
    assert half == pytest.approx(4.303 * 7**0.5 / 3**0.5)


def test_differences_within_the_spread_are_marked(rng):
    lines = "\n".join(ablation.table(results(rng, 0.0), ESTIMATORS)).splitlines()
    (pooled,) = [line for line in lines if line.startswith("Libra-PB, averaged")]
    assert pooled.endswith("(includes 0)")
    lines = list(ablation.table(results(rng, 0.05), ESTIMATORS))
    assert [("includes 0" in x) for x in lines if "| with" in x or "with Libra-PB |" in x] == [
        False
    ] * 4
    missing = results(rng, 0.05)
    missing["STE, with Libra-PB"] = {}
    assert "| STE, with Libra-PB | 0 | | | | |" in list(ablation.table(missing, ESTIMATORS))
    one = results(rng, 0.05, seeds=1)
    assert any("one seed: no interval" in line for line in ablation.table(one, ESTIMATORS))


def test_results_survive_a_torn_line_and_refuse_other_settings(tmp_path):
    file, settings = tmp_path / "r.jsonl", {"split": "test"}
    row = {"arm": ESTIMATORS.names[0], "seed": 3, "accuracy": 0.5, "settings": settings}
    whole = json.dumps(row) + "\n"
    file.write_text(whole + whole[:30])
    assert ablation.read_results(file, settings, ESTIMATORS)[ESTIMATORS.names[0]] == {3: 0.5}
    assert file.read_text() == whole
    with pytest.raises(UsageError, match=r"line 1, has other settings; give another --out"):
        ablation.read_results(file, {"split": "validation"}, ESTIMATORS)
    file.write_text("{}\n")
    with pytest.raises(UsageError, match=r"line 1, is not a result"):
        ablation.read_results(file, settings, ESTIMATORS)


@pytest.mark.parametrize("study", STUDIES)
def test_settings_are_what_json_gives_back(study):
    options = argparse.Namespace(
        network="resnet8", epochs=2, train_images=640, set=["batch_size=64"], split="test",
        recipe="resnet20-w1a1-cifar10-short", study=study, one=None,
    )  # fmt: skip
    settings = ablation.settings_of(options)
    assert ("ede_t_min" in settings["config"]) == (study == "recipe")
    assert json.loads(json.dumps(settings)) == settings
    assert settings["config"]["batch_size"] == 64
    assert settings["network_settings"] == {"blocks": [1, 1, 1]}


def test_results_of_before_a_field_existed_had_its_default(tmp_path):
    file, settings = tmp_path / "r.jsonl", {"config": {"epochs": 3, "average_last": None}}
    row = {"arm": ESTIMATORS.names[0], "seed": 0, "accuracy": 0.5}
    file.write_text(json.dumps({**row, "settings": {"config": {"epochs": 3}}}) + "\n")
    assert ablation.read_results(file, settings, ESTIMATORS)[ESTIMATORS.names[0]] == {0: 0.5}
    settings["config"]["average_last"] = 2
    with pytest.raises(UsageError, match="other settings"):
        ablation.read_results(file, settings, ESTIMATORS)


def test_arms_of_recipes_differ_in_what_they_are_named_for():
    config = small(epochs=6, train_images=6000)
    found = {}
    for name, changes in recipe_arms(config).items():
        arm = config.with_overrides(changes)
        fields = arm.model_dump()
        found[name] = {k: fields[k] for k, v in config.model_dump().items() if fields[k] != v}
    decay = {"weight_decay": 5e-4, "norm_decay": 5e-4}
    assert found == {
        AS_IT_IS: {},
        "weight decay 5e-4": decay,
        "weight decay 5e-4, of latents, too": {**decay, "latent_decay": 5e-4},
        "label smoothing 0.1": {"label_smoothing": 0.1},
        "two stages": {"stage1_epochs": 3},
        "distillation": {"teacher": "resnet20-float32-cifar10"},
        "EMA": {"ema_decay": 1 - 1 / 46},  # 6,000 images, 128 a step
        "mean of the last epochs": {"average_last": 2},
    }
    assert tuple(found) == STUDIES["recipe"].names


@pytest.mark.parametrize("name", [AS_IT_IS, "mean of the last epochs"])
def test_recipe_is_trained_and_scored_behind_its_last_epoch(name, monkeypatch):
    monkeypatch.setattr(compiling, "build_model", compiling.build_model)  # back to it afterwards
    config = small(epochs=2, batch_size=16)
    config = config.with_overrides(recipe_arms(config)[name])
    accuracy = train_recipe(config, TINY, tiny_data(), "validation", None)
    assert accuracy * 30 == pytest.approx(round(accuracy * 30), abs=1e-4)  # of 30 images


def small(**settings):
    return get_recipe("resnet20-w1a1-cifar10-short").with_overrides(settings)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seeds", "1"], "--seeds must be 2 to 20, got 1"),
        (["--jobs", "0"], "--jobs must be at least 1, got 0"),
        (["--set", "epochs=3"], "epochs has an option of its own; leave it out of --set"),
        (["--set", "precision=w1a32"], "precision must be w1a1, got w1a32"),
        (
            ["--network", "resnet9"],
            "--network: unknown network 'resnet9'; did you mean resnet8 or resnet56 or resnet44? "
            "accepted: resnet8, resnet20, resnet32, resnet44, resnet56, vgg-small, resnet18",
        ),
        (
            ["--study", "recipe", "--epochs", "1"],
            "recipe resnet20-w1a1-cifar10-short: average_last must be at most the epochs of the "
            "last stage, 1; got 2",
        ),
        (["--out", "no/such/r.jsonl"], "--out no/such/r.jsonl: folder no/such does not exist"),
    ],
)
def test_bad_arguments_are_one_line(words, message, tmp_path):
    command = [sys.executable, BENCHMARKS / "ablation.py", "--out", str(tmp_path / "r"), *words]
    out = subprocess.run(command, capture_output=True, text=True)
    assert (out.returncode, out.stderr) == (2, f"error: {message}\n")
