"""A tiny network and a few shipped images, for tests of the training system."""

from typing import Any

from irnet_keras.data.sample import load_sample
from irnet_keras.models import build_model
from irnet_keras.training.tasks.classification import ClassificationData


def build_tiny(*args: Any, **options: Any) -> Any:
    """``build_model`` of a ResNet with two binary convolutions."""
    settings = {**(options.pop("settings", None) or {}), "blocks": (1,), "widths": (8,)}
    return build_model(*args, **options, settings=settings)


def tiny_data() -> ClassificationData:
    """64 images to train on, 30 to validate on."""
    images = load_sample().calibration
    return ClassificationData(images[:64], images[64:94])
