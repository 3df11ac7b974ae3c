"""Two-stage training: first binary activations and float kernels, then all binary.

References:
    Martinez et al., "Training Binary Neural Networks with Real-to-Binary Convolutions"; used for
    IR-Net's networks by ReCU.
"""

from dataclasses import dataclass

from irnet_keras.training.config import TrainConfig

# Between w1a1 and float32, for training only: no network of the registry has it.
FIRST_PRECISION = "w32a1"


@dataclass(frozen=True)
class Stage:
    """A part of a training with a network, learning rate and EDE schedule of its own.

    Attributes:
        config: with the stage's precision and length (``epochs``).
        first: epochs before it.
        is_last: whether it trains the network that the recipe is for.
    """

    config: TrainConfig
    first: int
    is_last: bool

    @property
    def end(self) -> int:
        """Epochs done when it ends."""
        return self.first + self.config.epochs


def stages(config: TrainConfig) -> tuple[Stage, ...]:
    """One stage, or with ``stage1_epochs`` two; each has the whole warm-up and schedules."""
    if not config.stage1_epochs:
        return (Stage(config, 0, True),)
    first = config.model_copy(update={"precision": FIRST_PRECISION, "epochs": config.stage1_epochs})
    rest = config.model_copy(update={"epochs": config.epochs - config.stage1_epochs})
    return Stage(first, 0, False), Stage(rest, config.stage1_epochs, True)


def stages_from(config: TrainConfig, epoch: int, step: int = 0) -> tuple[Stage, ...]:
    """The stage whose network a checkpoint holds, and those behind it.

    Args:
        config: of the whole run.
        epoch: epochs completed.
        step: steps done of the next epoch. A checkpoint between two stages is the earlier one's.
    """
    return tuple(s for s in stages(config) if s.is_last or (epoch, step) <= (s.end, 0))


def stage_at(config: TrainConfig, epoch: int, step: int = 0) -> Stage:
    """The first of :func:`stages_from`."""
    return stages_from(config, epoch, step)[0]
