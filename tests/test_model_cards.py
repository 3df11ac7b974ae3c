"""Model cards keep up with the registry and the numbers measured for them."""

import dataclasses
import json
import shutil
import sys
from pathlib import Path

import pytest

from irnet_keras.errors import CheckFailed, UsageError
from irnet_keras.models import MODELS

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import model_cards  # noqa: E402

NAME = "resnet20-w1a1-cifar10"


@pytest.fixture
def copy(tmp_path):
    return Path(shutil.copytree(model_cards.CARDS, tmp_path / "models"))


def test_every_card_is_up_to_date():
    assert model_cards.main(["--check"]) == 0
    assert {p.stem for p in model_cards.CARDS.glob("*.md")} == set(model_cards.shipped())


def test_card_has_the_numbers_and_where_they_come_from(copy):
    text = (copy / f"{NAME}.md").read_text()
    numbers = json.loads((copy / f"{NAME}.json").read_text())
    runtimes = [s["runtime"].split()[0] for s in numbers["scores"]]
    assert runtimes == ["Keras", "1-bit:", "1-bit:"]
    assert ["delegate" in s["runtime"] for s in numbers["scores"]] == [False, True, False]
    assert all(s["num_examples"] == 10_000 for s in numbers["scores"])
    assert [f["name"].split()[0] for f in numbers["files"]] == ["float32", "int8", "1-bit"]
    for entry in (*numbers["scores"], *numbers["files"]):
        assert entry["command"] in text
    for expected in (
        "irnet train resnet20-w1a1-cifar10-best", MODELS[NAME].sha256, "82.21 %", "271,354",
        "40,108,032", "Apache-2.0", "## Limits", "load average",
    ):  # fmt: skip
        assert expected in text


def test_card_counts_the_validation_images_of_the_run(copy, tmp_path):
    runs = Path(shutil.copytree(model_cards.RUNS, tmp_path / "runs"))
    numbers = json.loads((copy / f"{NAME}.json").read_text())
    text = model_cards.card(NAME, MODELS[NAME], numbers, runs)
    assert "47,500 training images of the 50,000, the last 2,500 are the validation split" in text
    path = runs / NAME / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "validation_images": 5000}))
    text = model_cards.card(NAME, MODELS[NAME], numbers, runs)
    assert "45,000 training images of the 50,000, the last 5,000 are the validation split" in text


def test_text_that_differs_is_out_of_date(copy):
    (copy / f"{NAME}.md").write_text((copy / f"{NAME}.md").read_text() + "more")
    with pytest.raises(CheckFailed, match=f"{NAME}.md is out of date; run: python tools/model_"):
        model_cards.check_cards(copy)


def test_a_curve_of_other_metrics_is_out_of_date(copy):
    path = copy / f"{NAME}.svg"
    svg = path.read_text()
    assert svg.startswith("<svg")
    assert "currentColor" not in svg
    epochs = len((model_cards.RUNS / NAME / "metrics.csv").read_text().splitlines()) - 1
    # the two longest paths, one point per epoch
    lines = [d.split('"')[0].count("\nL ") + 1 for d in svg.split('<path d="')[1:]]
    assert sorted(lines)[-2:] == [epochs, epochs]
    path.write_text(svg.replace("SHA-256 ", "SHA-256 0"))
    with pytest.raises(CheckFailed, match=f"{NAME}.svg is out of date; run: python tools/model_"):
        model_cards.check_cards(copy)


def test_numbers_of_other_weights_are_refused(copy):
    for change, message in (
        ({"sha256": "0" * 64}, "is of other weights than the registry's; run: .*--measure"),
        ({"test_accuracy": 0.5}, r"has 0.8221 in Keras, the registry 0.5"),
    ):
        entry = dataclasses.replace(MODELS[NAME], **change)
        with pytest.raises(CheckFailed, match=message):
            model_cards.read_numbers(NAME, entry, copy)
    (copy / f"{NAME}.json").unlink()
    with pytest.raises(CheckFailed, match="ships weights but has no resnet20-w1a1"):
        model_cards.check_cards(copy)


def test_card_of_no_model_is_refused(copy):
    (copy / "nobody.md").write_text("")
    with pytest.raises(CheckFailed, match="is of no model with weights"):
        model_cards.check_cards(copy)


def test_bad_arguments_are_refused():
    with pytest.raises(UsageError, match="--check and --measure exclude each other"):
        model_cards.main(["--check", "--measure", NAME])
    with pytest.raises(UsageError, match="resnet32-w1a1-cifar10 has no shipped weights"):
        model_cards.main(["--measure", "resnet32-w1a1-cifar10"])
