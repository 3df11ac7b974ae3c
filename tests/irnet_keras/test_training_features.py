"""What recipes may ask for beyond the plain training: decay, distillation, averages, two stages."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from irnet_keras.errors import UsageError
from irnet_keras.models.weights import load_arrays
from irnet_keras.recipes import get_recipe
from irnet_keras.training import averaging, compiling, loop
from irnet_keras.training.averaging import AVERAGE, epoch_weights, reestimate_batch_norms
from irnet_keras.training.checkpoint import BEST, CHECKPOINT, LAST
from irnet_keras.training.compiling import compile_model
from irnet_keras.training.distillation import Student, distillation_loss, load_teacher
from irnet_keras.training.inspection import DIAGNOSTICS
from irnet_keras.training.stages import stage_at, stages
from tests.irnet_keras.tiny_training import build_tiny, tiny_data

TEACHER = "resnet20-float32-cifar10"
STEPS = 4


@pytest.fixture(autouse=True)
def tiny_networks(monkeypatch):
    monkeypatch.setattr(compiling, "build_model", build_tiny)


def configured(**settings):
    values = {"epochs": 4, "batch_size": 16, "learning_rate": 0.01, "seed": 5, "ede_t_max": 4}
    return get_recipe("resnet20-w1a1-cifar10-short").with_overrides({**values, **settings})


class StoppedError(Exception):
    pass


class StopAt(tf.keras.callbacks.Callback):
    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations.numpy()) == self.step:
            raise StoppedError


def run(folder, config, resume=False):
    folder.mkdir(exist_ok=True)
    lines = []
    summary = loop.train(
        config, folder, resume=resume, data=tiny_data(), score_test=False, log=lines.append
    )
    return summary, lines


FEATURES = {
    "averages, distillation": {
        "ema_decay": 0.7,
        "teacher": TEACHER,
        "distill_weight": 0.3,
        "checkpoint_steps": 2,
        "epochs": 2,
    },
    "mean of the last epochs": {"average_last": 2, "epochs": 3},
    "two stages, averages, penalties": {
        "stage1_epochs": 2,
        "warmup_epochs": 0.5,
        "ema_decay": 0.7,
        "norm_decay": 1e-3,
        "latent_decay": 1e-3,
        "checkpoint_steps": 2,
    },
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Uninterrupted runs, made when first asked for."""
    folders = {}

    def get(feature):
        if feature not in folders:
            folders[feature] = tmp_path_factory.mktemp("whole")
            run(folders[feature], configured(**FEATURES[feature]))
        return folders[feature]

    return get


@pytest.mark.parametrize(
    ("feature", "stops"),
    # two stages: right behind the switch (from the first one's checkpoint), then within an epoch
    [
        ("averages, distillation", [6]),
        ("mean of the last epochs", [10]),
        ("two stages, averages, penalties", [9, 11]),
    ],
)
def test_resumed_run_ends_in_the_same_bits(feature, stops, whole, tmp_path, monkeypatch):
    expected_run, config = whole(feature), configured(**FEATURES[feature])
    real = loop.schedule_callbacks
    for number, stop in enumerate(sorted(stops)):
        with monkeypatch.context() as patch:
            patch.setattr(
                loop, "schedule_callbacks", lambda *a, stop=stop: [*real(*a), StopAt(stop)]
            )
            with pytest.raises(StoppedError):
                run(tmp_path, config, resume=number > 0)
    run(tmp_path, config, resume=True)
    for name in (LAST, BEST, CHECKPOINT, AVERAGE):
        expected, got = (load_arrays(folder / name) for folder in (expected_run, tmp_path))
        assert expected[0].keys() == got[0].keys()
        assert expected[1].get("epoch") == got[1].get("epoch")
        for key, value in expected[0].items():
            np.testing.assert_array_equal(got[0][key], value, err_msg=f"{name}: {key}")
    for name in ("metrics.csv", DIAGNOSTICS):
        assert (tmp_path / name).read_text() == (expected_run / name).read_text()


def test_average_is_the_mean_of_the_last_epochs(whole, rng):
    folder = whole("mean of the last epochs")
    states = [load_arrays(epoch_weights(folder, epoch))[0] for epoch in (2, 3)]
    assert sorted(p.name for p in folder.glob("epoch-*")) == [
        "epoch-0002.safetensors", "epoch-0003.safetensors"
    ]  # fmt: skip
    average, last = (load_arrays(folder / name)[0] for name in (AVERAGE, LAST))
    for name, value in average.items():
        np.testing.assert_array_equal(states[1][name], last[name])
        if "moving" in name:
            assert np.abs(value - last[name]).max() > 0  # estimated anew
        elif not name.endswith("_t:0"):
            mean = (states[0][name].astype(np.float64) + states[1][name]) / 2
            np.testing.assert_array_equal(value, mean.astype(np.float32))
    assert "average_validation_accuracy" in json.loads((folder / "summary.json").read_text())


def test_last_epochs_of_a_run_that_changed_its_length(whole, tmp_path):
    folder = shutil.copytree(whole("mean of the last epochs"), tmp_path / "longer")
    settings = FEATURES["mean of the last epochs"]
    kept = epoch_weights(folder, 3).rename(tmp_path / "kept")
    with pytest.raises(UsageError, match=r"epoch-0003.* epochs must be at least 5, got 4"):
        run(folder, configured(**{**settings, "epochs": 4}), resume=True)
    kept.rename(epoch_weights(folder, 3))
    run(folder, configured(**{**settings, "epochs": 4}), resume=True)
    assert [p.name for p in sorted(folder.glob("epoch-*"))] == [
        "epoch-0003.safetensors", "epoch-0004.safetensors"
    ]  # fmt: skip


def test_validation_knows_no_distillation(whole):
    header = (whole("averages, distillation") / "metrics.csv").read_text().splitlines()[0]
    assert "distill_loss" in header.split(",")
    assert "val_distill_loss" not in header.split(",")


def test_stages_have_a_network_and_schedules_of_their_own(whole):
    folder = whole("two stages, averages, penalties")
    config = configured(**FEATURES["two stages, averages, penalties"])
    first, second = stages(config)
    assert (first.config.precision, second.config.precision) == ("w32a1", "w1a1")
    assert (first.end, second.first, second.end) == (2, 2, 4)
    assert [stage_at(config, *at).first for at in [(0, 0), (2, 0), (2, 1), (4, 0)]] == [0, 0, 2, 2]
    rows = [json.loads(line) for line in (folder / DIAGNOSTICS).read_text().splitlines()]
    assert [row["layers"][0]["entropy"] is None for row in rows] == [True, True, False, False]
    assert [row["layers"][0]["input_t"] for row in rows][1::2] == [4, 4]  # reached twice
    metrics = (folder / "metrics.csv").read_text().splitlines()
    rate = metrics[0].split(",").index("learning_rate")
    rates = [float(line.split(",")[rate]) for line in metrics[1:]]
    assert rates[0] == rates[2] > rates[1] == rates[3]  # warm-up and cosine twice
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["best_epoch"] in (3, 4)  # the first stage's is of another network
    stored = json.loads(load_arrays(folder / LAST)[1]["config"])
    assert (stored["precision"], stored["epochs"]) == ("w1a1", 4)


def test_features_that_are_off_change_nothing(tmp_path):
    config = configured(epochs=1)
    model = compile_model(config)
    assert type(model) is type(build_tiny("resnet20"))
    assert model.losses == []
    assert [v.name.split("/")[0] for v in model.optimizer.variables].count("average") == 0
    assert [s.config for s in stages(config)] == [config]


def test_penalties_are_the_papers_form():
    plain = compile_model(configured())
    model = compile_model(configured(norm_decay=0.01, latent_decay=0.1))
    latents = [v for v in model.trainable_variables if "_conv/kernel" in v.name]
    latents = [v.numpy() for v in latents if "stem" not in v.name]
    small = [v.numpy() for v in model.trainable_variables if len(v.shape) == 1]
    assert (len(latents), len(small)) == (2, 9)  # four batch norms, the classifier's bias
    expected = 0.05 * sum((v**2).sum() for v in latents) + 0.005 * sum((v**2).sum() for v in small)
    assert plain.losses == []
    assert float(tf.add_n(model.losses)) == pytest.approx(float(expected), rel=1e-5)


def test_distillation_loss_against_numpy(rng):
    p, q = rng.normal(size=(2, 5, 10))

    def softmax(x):
        return np.exp(x) / np.exp(x).sum(-1, keepdims=True)

    a, b = softmax(p / 3), softmax(q / 3)
    expected = 9 * (a * np.log(a / b)).sum(-1).mean()
    got = distillation_loss(tf.constant(p), tf.constant(q), 3.0)
    assert float(got) == pytest.approx(expected, rel=1e-12)
    assert float(distillation_loss(tf.constant(p), tf.constant(p), 3.0)) == 0


def test_student_descends_the_mixed_loss(rng):
    def network():
        image = tf.keras.layers.Input((3,))
        logits = tf.keras.layers.Dense(4, kernel_regularizer=tf.keras.regularizers.L2(0.1))(image)
        return image, logits

    inputs, outputs = network()
    teacher = tf.keras.Model(*network())
    before = teacher.get_weights()
    student = Student(
        inputs, outputs, teacher=lambda x: teacher(x, training=False), weight=0.25, temperature=2.0
    )
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    student.compile(tf.keras.optimizers.SGD(1.0), loss, ["accuracy"], jit_compile=False)
    assert len(student.weights) == 2  # the teacher is no part of it
    x, y = tf.constant(rng.normal(size=(6, 3)), tf.float32), tf.constant(rng.integers(0, 4, 6))
    kernel, bias = student.trainable_variables
    with tf.GradientTape() as tape:
        logits = student(x)
        mixed = 0.75 * loss(y, logits) + 0.25 * distillation_loss(teacher(x), logits, 2.0)
        mixed += 0.1 * tf.reduce_sum(kernel**2)
    expected = [
        v - g for v, g in zip((kernel, bias), tape.gradient(mixed, [kernel, bias]), strict=True)
    ]
    logs = student.train_on_batch(x, y, return_dict=True)
    assert set(logs) == {"loss", "accuracy", "distill_loss"}
    for value, variable in zip(expected, (kernel, bias), strict=True):
        np.testing.assert_allclose(variable.numpy(), value.numpy(), rtol=1e-5, atol=1e-6)
    for a, b in zip(before, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_averages_follow_the_weights_and_stay_out_of_the_model(rng):
    model = compile_model(configured(ema_decay=0.75, optimizer="sgd", learning_rate=0.1))
    average = [v.numpy() for v in model.trainable_variables]
    x, y = rng.normal(size=(16, 32, 32, 3)).astype(np.float32), rng.integers(0, 10, 16)
    for _ in range(3):
        model.fit(x, y, 16, 1, verbose=0)
        now = [v.numpy() for v in model.trainable_variables]
        average = [0.75 * a + 0.25 * w for a, w in zip(average, now, strict=True)]
    assert any(np.abs(a - w).max() > 1e-4 for a, w in zip(average, now, strict=True))
    averaging.use_averages(model)
    for expected, variable in zip(average, model.trainable_variables, strict=True):
        np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-5, atol=1e-7)


def test_batch_norms_are_the_mean_of_the_batches(rng):
    image = tf.keras.layers.Input((2, 2, 3))
    model = tf.keras.Model(image, tf.keras.layers.BatchNormalization(momentum=0.9)(image))
    batches = rng.normal(2, 3, (4, 8, 2, 2, 3)).astype(np.float32)
    assert reestimate_batch_norms(model, [(b, None) for b in batches]) == 4
    gamma, beta, mean, variance = model.get_weights()
    np.testing.assert_allclose(mean, batches.mean((0, 1, 2, 3)), rtol=1e-5)
    own = [b.reshape(-1, 3).var(0, ddof=1) for b in batches]  # the fused kernel's is unbiased
    np.testing.assert_allclose(variance, np.mean(own, 0), rtol=1e-5)
    assert model.layers[1].momentum == 0.9
    assert (gamma.tolist(), beta.tolist()) == ([1] * 3, [0] * 3)
    with pytest.raises(ValueError, match="no batch"):
        reestimate_batch_norms(model, [])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stage1_epochs": 2, "precision": "w1a32"}, "stage1_epochs goes with precision w1a1"),
        ({"stage1_epochs": 4}, r"stage1_epochs must leave both stages more epochs"),
        ({"ema_decay": 1}, r"ema_decay: .*less than 1, got 1"),
        ({"average_last": 2, "ema_decay": 0.9}, "average_last and ema_decay both make an average"),
        ({"average_last": 3, "stage1_epochs": 2}, "at most the epochs of the last stage, 2; got 3"),
        ({"distill_weight": 0}, r"distill_weight: .*greater than 0, got 0"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        configured(**settings)


def test_stage1_follows_the_length():
    config = configured(epochs=4, stage1_epochs=2, warmup_epochs=0.5)
    longer = config.with_overrides({"epochs": 8})
    assert (longer.stage1_epochs, longer.warmup_epochs) == (4, 1)
    assert config.with_overrides({"epochs": 1, "warmup_epochs": 0}).stage1_epochs == 0


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        ("nobody", r"teacher: MODEL 'nobody' is neither a file nor a"),
        ("resnet32-w1a1-cifar10", "teacher: .* has no shipped weights"),
    ],
)
def test_bad_teachers_are_refused(teacher, message):
    with pytest.raises(UsageError, match=message):
        compile_model(configured(teacher=teacher))


def test_teacher_of_other_classes_is_refused():
    with pytest.raises(UsageError, match=r"teacher must have the output shape of resnet20"):
        compile_model(configured(teacher=TEACHER, num_classes=12))


def test_teacher_may_be_a_run_folder(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UsageError, match=r"last.safetensors"):
        load_teacher(str(tmp_path))
