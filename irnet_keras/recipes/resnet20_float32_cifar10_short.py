"""The float32 twin of ResNet-20 on CIFAR-10 in 14 epochs."""

from irnet_keras.training.config import TrainConfig

RECIPE = TrainConfig(
    name="resnet20-float32-cifar10-short",
    precision="float32",
    epochs=14,
    batch_size=128,
    learning_rate=0.1,
    warmup_epochs=1,
    weight_decay=5e-4,
)
