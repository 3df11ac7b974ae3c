"""ResNet-18 w1a1 on CIFAR-10, the best recipe found here.

Source: as resnet20_w1a1_cifar10_best, at VGG-Small's learning rate (its layers are as wide).
The network is the published one, a shortcut around every two convolutions, as the registry's
resnet18-w1a1-cifar10; ``--set structure=bireal`` has one around each.

Command: irnet train resnet18-w1a1-cifar10-best
Result: not yet run.
"""

from irnet_keras.training.config import TrainConfig

RECIPE = TrainConfig(
    name="resnet18-w1a1-cifar10-best",
    network="resnet18",
    structure="normal",
    epochs=100,
    batch_size=128,
    optimizer="adam",
    learning_rate=0.003,
    warmup_epochs=1,
    ede_t_min=1e-1,
    ede_t_max=2.0,
    residual_gamma=0.25,
    validation_images=2500,
    compute="bfloat16",
)
