"""ResNet-20 w1a32 (binary weights, float activations) on CIFAR-10 as published: 90.8 %.

Source and deviations: as resnet20_w1a1_cifar10_paper; the released code starts EDE at 1e-1
for this network, like the paper.

Command: irnet train resnet20-w1a32-cifar10-paper
Result: not yet run.
"""

from irnet_keras.training.config import TrainConfig

RECIPE = TrainConfig(
    name="resnet20-w1a32-cifar10-paper",
    precision="w1a32",
    epochs=400,
    batch_size=128,
    learning_rate=0.1,
    weight_decay=1e-4,
    norm_decay=1e-4,
    latent_decay=1e-4,
    ede_t_min=1e-1,
    ede_t_max=1e1,
)
