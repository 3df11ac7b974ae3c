"""ResNet-32 w1a1 on CIFAR-10, the best recipe found here.

Source: as resnet20_w1a1_cifar10_best, whose choices were made on ResNet-20; none was made again.

Command: irnet train resnet32-w1a1-cifar10-best
Result: not yet run.
"""

from irnet_keras.training.config import TrainConfig

RECIPE = TrainConfig(
    name="resnet32-w1a1-cifar10-best",
    network="resnet32",
    epochs=80,
    batch_size=128,
    optimizer="adam",
    learning_rate=0.008,
    warmup_epochs=1,
    ede_t_min=1e-1,
    ede_t_max=2.0,
    residual_gamma=0.25,
    validation_images=2500,
    compute="bfloat16",
)
