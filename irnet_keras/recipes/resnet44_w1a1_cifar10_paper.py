"""ResNet-44 w1a1 on CIFAR-10 with the settings published for ResNet-20.

Source and deviations: as resnet20_w1a1_cifar10_paper; IR-Net (CVPR 2020) reports no ResNet-44.

Command: irnet train resnet44-w1a1-cifar10-paper
Result: not yet run.
"""

from irnet_keras.training.config import TrainConfig

RECIPE = TrainConfig(
    name="resnet44-w1a1-cifar10-paper",
    network="resnet44",
    epochs=400,
    batch_size=128,
    learning_rate=0.1,
    weight_decay=1e-4,
    norm_decay=1e-4,
    latent_decay=1e-4,
    ede_t_min=0.1,
    ede_t_max=10.0,
)
