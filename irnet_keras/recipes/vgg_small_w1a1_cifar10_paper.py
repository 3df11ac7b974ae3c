"""VGG-Small w1a1 on CIFAR-10 as published: 90.4 % after 300 epochs (IR-Net, table 4).

Source: IR-Net (CVPR 2020) and its released trainer: SGD 0.007 with momentum 0.9, cosine per step
instead of per epoch, L2 1e-4 on all weights, batch 128, EDE from 1e-1 to 1e1. Users of the
released code report about 88 %.

Deviations: as resnet20_w1a1_cifar10_paper.

Command: irnet train vgg-small-w1a1-cifar10-paper
Result: not yet run.
"""

from irnet_keras.training.config import TrainConfig

RECIPE = TrainConfig(
    name="vgg-small-w1a1-cifar10-paper",
    network="vgg-small",
    structure="plain",
    epochs=300,
    batch_size=128,
    learning_rate=0.007,
    weight_decay=1e-4,
    norm_decay=1e-4,
    latent_decay=1e-4,
    ede_t_min=0.1,
    ede_t_max=10.0,
)
