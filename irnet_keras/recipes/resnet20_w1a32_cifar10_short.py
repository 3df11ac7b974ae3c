"""ResNet-20 w1a32 (binary weights, float activations) on CIFAR-10 in 24 epochs.

Source: as resnet20_w1a1_cifar10_best; only the weights are binary, so EDE goes up to t = 3.

Command: irnet train resnet20-w1a32-cifar10-short
Result: not yet run.
"""

from irnet_keras.training.config import TrainConfig

RECIPE = TrainConfig(
    name="resnet20-w1a32-cifar10-short",
    precision="w1a32",
    epochs=24,
    batch_size=128,
    optimizer="adam",
    learning_rate=0.005,
    warmup_epochs=1,
    ede_t_min=1e-1,
    ede_t_max=3.0,
    residual_gamma=0.25,
    validation_images=2500,
    compute="bfloat16",
)
