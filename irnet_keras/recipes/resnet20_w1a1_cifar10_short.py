"""ResNet-20 w1a1 on CIFAR-10 in 30 epochs."""

from irnet_keras.training.config import TrainConfig

RECIPE = TrainConfig(
    name="resnet20-w1a1-cifar10-short",
    epochs=30,
    batch_size=128,
    learning_rate=0.1,
    warmup_epochs=1,
    weight_decay=1e-4,
    ede_t_min=1e-1,
    ede_t_max=3.0,
)
