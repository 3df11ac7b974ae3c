"""ResNet-20 w1a1 on CIFAR-10 as published: 86.5 % after 400 epochs (IR-Net, table 4).

Source: IR-Net (CVPR 2020) and the settings of its released trainer: SGD 0.1 with momentum
0.9, cosine per step instead of per epoch, L2 1e-4 on all weights, batch 128. EDE from 1e-1 to 1e1
as in the paper; the released code starts at 1e-3 for this network (``--set ede_t_min=1e-3``).

Deviations: sign(0) = +1; EDE per step, to the last value; the last 5,000 training images are a
validation split.

Command: irnet train resnet20-w1a1-cifar10-paper
Result: not yet run.
"""

from irnet_keras.training.config import TrainConfig

RECIPE = TrainConfig(
    name="resnet20-w1a1-cifar10-paper",
    epochs=400,
    batch_size=128,
    learning_rate=0.1,
    weight_decay=1e-4,
    norm_decay=1e-4,
    latent_decay=1e-4,
    ede_t_min=1e-1,
    ede_t_max=1e1,
)
