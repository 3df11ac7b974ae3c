"""ResNet-18 w1a1 on CIFAR-100, on which IR-Net (CVPR 2020) reports nothing.

Source: the schedule that ReCU and SiMaN use on CIFAR-10: batch 256, SGD 0.1, warm-up, one cosine,
L2 5e-4; here for 200 epochs. Nothing here was chosen by a run of ours.

Deviations: no L2 on binary latents, whose scale the network ignores.

Command: irnet train resnet18-w1a1-cifar100-best
Result: not yet run.
"""

from irnet_keras.training.config import TrainConfig

RECIPE = TrainConfig(
    name="resnet18-w1a1-cifar100-best",
    network="resnet18",
    dataset="cifar100",
    structure="normal",
    epochs=200,
    batch_size=256,
    learning_rate=0.1,
    warmup_epochs=5,
    weight_decay=5e-4,
    norm_decay=5e-4,
    ede_t_min=0.1,
    ede_t_max=10.0,
)
