"""The arms of the ablation (``benchmarks/ablation.py``) and one training of one of them."""

import os
from dataclasses import dataclass
from functools import partial
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import irnet_keras  # noqa: F401  (before TensorFlow: it selects Keras 2)

# isort: split
import larq as lq
import tensorflow as tf

from irnet_keras.models import build_model
from irnet_keras.quantizers import EDESign, LibraPB, libra_pb
from irnet_keras.training.compiling import compile_model
from irnet_keras.training.config import TrainConfig
from irnet_keras.training.scheduling import schedule_callbacks
from irnet_keras.training.task import Feed, TaskData, get_task


@dataclass(frozen=True)
class Arm:
    """Estimator of the sign's gradient, for kernels and activations, and form of the kernels.

    Attributes:
        estimator: ``"ste"``, ``"approx"`` or ``"ede"``.
        libra: kernels by Libra-PB; otherwise their sign alone, latents clipped to [-1, 1].
        t_min: EDE's sharpness at the start.
    """

    estimator: str
    libra: bool
    t_min: float = 1e-1

    @property
    def name(self) -> str:
        ede = f"EDE {self.t_min:g}"
        estimator = {"ste": "STE", "approx": "ApproxSign"}.get(self.estimator, ede)
        return f"{estimator}, {'with' if self.libra else 'without'} Libra-PB"


_ESTIMATORS = (("ste", 1e-1), ("approx", 1e-1), ("ede", 1e-3), ("ede", 1e-1))
ARMS = {a.name: a for libra in (False, True) for a in (Arm(e, libra, t) for e, t in _ESTIMATORS)}


@lq.utils.register_keras_custom_object
class LibraKernel(lq.quantizers.Quantizer):
    """Libra-PB's forward pass and standardization with another estimator than EDE.

    ``abs(libra_pb(w))`` is its scale, which has no gradient; the standardized weights are rebuilt
    here, for filters that are not constant.
    """

    precision = 1

    def __init__(self, estimator: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.estimator = estimator

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        axes = list(range(len(inputs.shape) - 1))
        centred = inputs - tf.reduce_mean(inputs, axes, keepdims=True)
        count = tf.cast(tf.size(inputs) // inputs.shape[-1], inputs.dtype)
        variance = tf.reduce_sum(tf.square(centred), axes, keepdims=True) / (count - 1)
        scale = tf.stop_gradient(tf.abs(libra_pb(inputs)))
        sign = lq.quantizers.ste_sign if self.estimator == "ste" else lq.quantizers.approx_sign
        return scale * sign(centred / tf.sqrt(variance))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "estimator": self.estimator}


def build_arm(arm: Arm, more: dict[str, Any], *args: Any, **options: Any) -> tf.keras.Model:
    """``build_model`` with the quantizers of an arm; the initial weights are those of all arms."""
    settings = {**(options.pop("settings", None) or {}), **more}
    model = build_model(*args, **options, settings=settings)

    def exchange(layer: Any) -> Any:
        if not isinstance(layer, lq.layers.QuantConv2D):
            return layer.__class__.from_config(layer.get_config())
        config = layer.get_config()
        name = layer.name.removesuffix("_conv")
        config["input_quantizer"] = _signs(arm, f"{name}_input_quantizer")
        if not arm.libra:
            config["kernel_quantizer"] = _signs(arm, f"{name}_kernel_quantizer")
            config["kernel_constraint"] = "weight_clip"
        elif arm.estimator == "ede":
            config["kernel_quantizer"] = LibraPB(arm.t_min, name=f"{name}_kernel_quantizer")
        else:
            config["kernel_quantizer"] = LibraKernel(arm.estimator, name=f"{name}_kernel_quantizer")
        return layer.__class__.from_config(config)

    changed = tf.keras.models.clone_model(model, clone_function=exchange)
    values = {v.name: v for v in model.weights}
    for variable in changed.weights:
        if variable.name in values and not variable.name.endswith("_t:0"):
            variable.assign(values[variable.name])
    return changed


def _signs(arm: Arm, name: str) -> Any:
    if arm.estimator == "ste":
        return lq.quantizers.SteSign(name=name)
    if arm.estimator == "approx":
        return lq.quantizers.ApproxSign(name=name)
    return EDESign(arm.t_min, name=name)


def compile_arm(arm: Arm, config: TrainConfig, settings: dict[str, Any]) -> tf.keras.Model:
    """The compiled network of an arm; EDE's schedule starts at the arm's own t."""
    return compile_model(config_of(arm, config), partial(build_arm, arm, settings))


def config_of(arm: Arm, config: TrainConfig) -> TrainConfig:
    """The configuration with the arm's sharpness."""
    return config.with_overrides({"ede_t_min": arm.t_min})


def train_arm(
    arm: Arm,
    config: TrainConfig,
    settings: dict[str, Any],
    data: TaskData,
    split: str,
    data_dir: str | None,
) -> float:
    """Accuracy (0..1) behind the last epoch, on ``split``: ``"validation"`` or ``"test"``.

    Raises:
        CheckFailed: the loss is not finite.
    """
    tf.config.experimental.enable_op_determinism()
    config = config_of(arm, config)
    model = compile_arm(arm, config, settings)
    steps = data.num_images // config.batch_size
    model.fit(
        data.training(config, Feed()),
        epochs=config.epochs,
        steps_per_epoch=steps,
        callbacks=schedule_callbacks(config, model, steps, lambda line: None),
        verbose=0,
    )
    if split == "test":
        return float(get_task(config).score(model, data_dir).values["accuracy"])
    return float(model.evaluate(data.validation(), verbose=0, return_dict=True)["accuracy"])
