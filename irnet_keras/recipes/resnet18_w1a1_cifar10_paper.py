"""ResNet-18 w1a1 on CIFAR-10 as published: 91.5 % (IR-Net, table 4).

Source: IR-Net (CVPR 2020) and its released network: a shortcut around every two convolutions
(``structure="normal"``), float 1x1 shortcuts, no activation behind the stem. No trainer was
released for it; these are the settings of the released ResNet-20 trainer.

Deviations: as resnet20_w1a1_cifar10_paper; logits instead of log-softmax, which the loss applies.

Command: irnet train resnet18-w1a1-cifar10-paper
Result: not yet run.
"""

from irnet_keras.training.config import TrainConfig

RECIPE = TrainConfig(
    name="resnet18-w1a1-cifar10-paper",
    network="resnet18",
    structure="normal",
    epochs=400,
    batch_size=128,
    learning_rate=0.1,
    weight_decay=1e-4,
    norm_decay=1e-4,
    latent_decay=1e-4,
    ede_t_min=0.1,
    ede_t_max=10.0,
)
