"""The float32 twin of ResNet-20 (same graph, quantizers off) on CIFAR-10 in 13 epochs.

Source: SGD with momentum and cosine as in the paper; L2 5e-4 as in later work on the same
networks; a short schedule.

Command: irnet train resnet20-float32-cifar10-short
"""

from irnet_keras.training.config import TrainConfig

RECIPE = TrainConfig(
    name="resnet20-float32-cifar10-short",
    precision="float32",
    epochs=13,
    batch_size=128,
    learning_rate=0.1,
    nesterov=True,
    warmup_epochs=1,
    weight_decay=5e-4,
    residual_gamma=0.25,
)
