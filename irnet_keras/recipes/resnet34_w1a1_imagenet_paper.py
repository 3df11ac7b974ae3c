"""ResNet-34 w1a1 on ImageNet as published: 62.9 % top-1, 84.1 % top-5 (IR-Net).

Source and deviations: as resnet18_w1a1_imagenet_paper, with L2 1e-4.

Command: irnet train resnet34-w1a1-imagenet-paper
Result: not yet run.
"""

from irnet_keras.training.config import TrainConfig

RECIPE = TrainConfig(
    name="resnet34-w1a1-imagenet-paper",
    network="resnet34",
    dataset="imagenet",
    epochs=100,
    batch_size=256,
    learning_rate=0.8,
    base_batch_size=2048,
    nesterov=True,
    schedule="step",
    step_boundaries=(0.3, 0.6, 0.9),
    step_factor=0.1,
    warmup_epochs=4,
    warmup_from=0.25,
    weight_decay=1e-4,
    norm_decay=1e-4,
    latent_decay=1e-4,
    ede_t_min=0.1,
    ede_t_max=10.0,
    validation_images=10000,
)
