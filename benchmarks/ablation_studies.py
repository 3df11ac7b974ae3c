"""What ``benchmarks/ablation.py`` can compare; no TensorFlow."""

from dataclasses import dataclass

from irnet_keras.training.config import TrainConfig

ESTIMATORS = ("STE", "ApproxSign", "EDE 0.001", "EDE 0.1")
_PLAIN, _LIBRA = ([f"{e}, {w} Libra-PB" for e in ESTIMATORS] for w in ("without", "with"))
AS_IT_IS = "recipe as it is"
TEACHER = "resnet20-float32-cifar10"


@dataclass(frozen=True)
class Study:
    """Trainings that differ in what their names say.

    Attributes:
        names: of the arms, the reference first.
        contrasts: title, arms, and arms that their mean is compared with.
        own_fields: of the configuration, which every arm sets for itself.
    """

    names: tuple[str, ...]
    contrasts: tuple[tuple[str, list[str], list[str]], ...] = ()
    own_fields: tuple[str, ...] = ()


def recipe_arms(config: TrainConfig) -> dict[str, dict[str, object]]:
    """What each arm of the study of recipes changes in the recipe.

    The exponential average reaches back about an epoch, the other one over a third of the run.
    """
    steps = max(2, (config.train_images or 50_000) // config.batch_size)
    decay = {"weight_decay": 5e-4, "norm_decay": 5e-4}
    return {
        AS_IT_IS: {},
        "weight decay 5e-4": decay,
        "weight decay 5e-4, of latents, too": {**decay, "latent_decay": 5e-4},
        "label smoothing 0.1": {"label_smoothing": 0.1},
        "two stages": {"stage1_epochs": config.epochs // 2},
        "distillation": {"teacher": TEACHER},
        "EMA": {"ema_decay": 1 - 1 / steps},
        "mean of the last epochs": {"average_last": max(2, config.epochs // 3)},
    }


STUDIES = {
    "estimators": Study(
        (*_PLAIN, *_LIBRA),
        (
            ("Libra-PB, averaged over the estimators", _LIBRA, _PLAIN),
            *(
                (f"{e} against STE, averaged over both kernels",
                 [plain, libra], [_PLAIN[0], _LIBRA[0]])
                for e, plain, libra in zip(ESTIMATORS[1:], _PLAIN[1:], _LIBRA[1:], strict=True)
            ),
        ),
        own_fields=("ede_t_min",),
    ),
    "recipe": Study(tuple(recipe_arms(TrainConfig(name="any")))),
}  # fmt: skip
