"""Everything a training run can be told, as validated data; no TensorFlow."""

import contextlib
import itertools
from typing import Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from irnet_keras.errors import UsageError
from irnet_keras.models import check_structure, network_options
from irnet_keras.models.networks import DATASETS
from irnet_keras.near import accepted


class TrainConfig(BaseModel):
    """A recipe: network, data and optimization. Every field can be overridden by ``--set``."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    name: str = Field(description="recipe name")
    network: str = Field("resnet20", description="network family member")
    dataset: str = "cifar10"
    structure: Literal["bireal", "normal", "plain"] = Field(
        "bireal", description="shortcuts around every convolution, every two, or none (vgg-small)"
    )
    precision: Literal["w1a1", "w1a32", "float32"] = "w1a1"
    pad_values: Literal[0, 1] = 0
    num_classes: int | None = Field(
        None, ge=2, le=65_536, description="width of the classifier; default: the data set's"
    )
    image_size: int | None = Field(
        None, ge=8, le=2048, description="height and width of the input; default: the data set's"
    )
    stem: Literal["7x7-pool", "3x3-3x3"] | None = Field(
        None, description="of ImageNet ResNets; 3x3-3x3 is cheaper"
    )
    downsample: Literal["float", "binary"] | None = Field(
        None, description="1x1 convolutions of ResNet-18 and -34"
    )

    epochs: int = Field(30, ge=1, le=100_000)
    batch_size: int = Field(128, ge=2, le=65_536)
    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: float = Field(0.1, gt=0, le=1000, description="peak of the schedule")
    momentum: float = Field(0.9, ge=0, lt=1, description="SGD momentum")
    nesterov: bool = False
    base_batch_size: int | None = Field(
        None,
        ge=1,
        description="learning_rate is for this batch size; scaled linearly to batch_size",
    )
    schedule: Literal["cosine", "step"] = Field("cosine", description="behind the warm-up")
    step_boundaries: tuple[float, ...] = Field(
        (0.3, 0.6, 0.9),
        description="schedule=step: fractions of the run, times step_factor at each",
    )
    step_factor: float = Field(0.1, gt=0, le=1)
    warmup_epochs: float = Field(0.0, ge=0, description="linear warm-up, then the schedule")
    warmup_from: float = Field(
        0.0, ge=0, le=1, description="fraction of the learning rate where the warm-up begins"
    )
    weight_decay: float = Field(0.0, ge=0, le=1, description="L2 on float kernels, papers' form")
    norm_decay: float = Field(
        0.0, ge=0, le=1, description="the same on scales and offsets of batch norms, and biases"
    )
    latent_decay: float = Field(
        0.0, ge=0, le=1, description="the same on the latent weights of binary kernels"
    )
    residual_gamma: float = Field(
        1.0, gt=0, le=1, description="initial batch-norm scale of the inner convolutions"
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    ede_t_min: float = Field(1e-1, gt=0, le=1e6)
    ede_t_max: float = Field(1e1, gt=0, le=1e6)
    ede_update: Literal["step", "epoch"] = "step"

    stage1_epochs: int = Field(
        0, ge=0, description="of epochs: first so many with float kernels, then all binary (w1a1)"
    )
    teacher: str | None = Field(
        None, description="distillation: registry name with weights, weights file or run folder"
    )
    distill_weight: float = Field(
        0.5, gt=0, le=1, description="share of the teacher in the loss, the labels have the rest"
    )
    distill_temperature: float = Field(4.0, gt=0, le=1000)
    ema_decay: float | None = Field(
        None, gt=0, lt=1, description="moving average of the weights, per step; scored separately"
    )

    average_last: int | None = Field(
        None, ge=2, description="mean of the weights behind the last so many epochs; as ema_decay"
    )

    sync_batch_norm: bool = Field(
        False, description="batch statistics over all replicas of a strategy, not each one's own"
    )
    checkpoint_steps: int | None = Field(
        None, ge=1, description="a checkpoint every so many steps of an epoch, too"
    )

    validation_images: int = Field(
        5000, ge=0, le=49_000, description="cut from the end of the training split"
    )
    train_images: int | None = Field(
        None, ge=2, description="use only the first N training images (tests, pilots)"
    )
    crop_size: int = Field(
        24, ge=8, le=1024, description="super-resolution: crops of the small images, in pixels"
    )
    crops_per_image: int = Field(
        100, ge=1, le=1_000_000, description="super-resolution: in an epoch, of every image"
    )
    compute: Literal["float32", "bfloat16"] = Field(
        "float32", description="what inner convolutions multiply while training"
    )
    seed: int = Field(0, ge=0, lt=2**31)

    @field_validator("step_boundaries", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """``0.3,0.6`` on the command line."""
        return value.split(",") if isinstance(value, str) else value

    @field_validator("step_boundaries")
    @classmethod
    def _rise(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not all(a < b for a, b in itertools.pairwise((0.0, *value, 1.0))):
            raise ValueError("must rise, from above 0 to below 1")
        return value

    @model_validator(mode="after")
    def _check_network(self) -> "TrainConfig":
        check_structure(self.network, self.dataset, self.structure)
        network_options(self.model_dump())
        data = DATASETS[self.dataset]
        if data.super_resolution and self.num_classes is not None:
            raise ValueError(f"num_classes must be none for {self.dataset}, which has no classes")
        if data.super_resolution and (self.teacher is not None or self.label_smoothing):
            raise ValueError(
                f"teacher and label_smoothing are for classifiers, {self.dataset} has no classes"
            )
        if self.num_classes is not None and self.num_classes < data.num_classes:
            raise ValueError(
                f"num_classes must be at least {data.num_classes}, the classes of {self.dataset}; "
                f"got {self.num_classes}: set num_classes={data.num_classes} or none"
            )
        return self

    @property
    def input_size(self) -> int:
        """Height and width of the network's input."""
        return self.image_size or DATASETS[self.dataset].image[0]

    @property
    def output_classes(self) -> int:
        """Width of the network's classifier."""
        return self.num_classes or DATASETS[self.dataset].num_classes

    @property
    def peak_learning_rate(self) -> float:
        """``learning_rate``, scaled to ``batch_size`` if ``base_batch_size`` says so."""
        if self.base_batch_size is None:
            return self.learning_rate
        return self.learning_rate * self.batch_size / self.base_batch_size

    @property
    def averaged_epochs(self) -> range:
        """Epochs, 1-based, whose weights ``average_last`` averages; empty without."""
        return range(self.epochs + 1 - (self.average_last or 0), self.epochs + 1)

    @model_validator(mode="after")
    def _check(self) -> "TrainConfig":
        if self.ede_t_min > self.ede_t_max:
            raise ValueError(
                f"ede_t_min must not exceed ede_t_max, got {self.ede_t_min} > {self.ede_t_max}"
            )
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs must be less than epochs, got {self.warmup_epochs} of {self.epochs}"
            )
        if self.stage1_epochs:
            if self.precision != "w1a1":
                raise ValueError(f"stage1_epochs goes with precision w1a1, not {self.precision}")
            shorter = min(self.stage1_epochs, self.epochs - self.stage1_epochs)
            if shorter <= self.warmup_epochs:
                raise ValueError(
                    "stage1_epochs must leave both stages more epochs than warmup_epochs "
                    f"({self.warmup_epochs}), got {self.stage1_epochs} of {self.epochs}"
                )
        if self.average_last is not None:
            if self.ema_decay is not None:
                raise ValueError("average_last and ema_decay both make an average: set one of them")
            if self.average_last > self.epochs - self.stage1_epochs:
                raise ValueError(
                    "average_last must be at most the epochs of the last stage, "
                    f"{self.epochs - self.stage1_epochs}; got {self.average_last}"
                )
        per_image = self.crops_per_image if DATASETS[self.dataset].super_resolution else 1
        if self.train_images is not None and self.train_images * per_image < self.batch_size:
            raise ValueError(
                f"train_images must be at least batch_size, got {self.train_images} < "
                f"{self.batch_size}"
            )
        return self

    def with_overrides(self, values: dict[str, object]) -> "TrainConfig":
        """A validated copy with some fields replaced.

        Args:
            values: field name to value; strings are converted as in a config file. A new
                ``epochs`` scales ``warmup_epochs`` and ``stage1_epochs`` with it unless they are
                given, too.

        Raises:
            UsageError: unknown field or a value the field refuses.
        """
        unknown = sorted(set(values) - set(TrainConfig.model_fields))
        if unknown:
            raise UsageError(
                f"unknown setting {unknown[0]!r}; {accepted(unknown[0], TrainConfig.model_fields)}"
            )
        merged = {**self.model_dump(), **values}
        with contextlib.suppress(TypeError, ValueError):  # refused below, with a message
            factor = int(str(values.get("epochs", self.epochs))) / self.epochs
            if "warmup_epochs" not in values:
                merged["warmup_epochs"] *= factor
            if "stage1_epochs" not in values:
                merged["stage1_epochs"] = round(self.stage1_epochs * factor)
        return parse_config(merged, f"recipe {self.name}")


def parse_config(values: dict[str, object], source: str) -> TrainConfig:
    """Validate a mapping into a config.

    Raises:
        UsageError: naming the first offending field, its value and the rule.
    """
    try:
        return TrainConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        got = "" if not field else f", got {first['input']!r}"
        rule = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"{source}: {field + ': ' if field else ''}{rule}{got}") from error


def parse_set(pairs: list[str]) -> dict[str, object]:
    """``["lr=0.1", ...]`` to a mapping; the word ``none`` means None.

    Raises:
        UsageError: an entry without ``=`` or a key named twice.
    """
    values: dict[str, object] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        key = key.strip()
        if not equals or not key:
            raise UsageError(f"--set takes key=value, got {pair!r}")
        if key in values:
            raise UsageError(f"--set names {key} twice")
        values[key] = None if value.strip().lower() == "none" else value.strip()
    return values
