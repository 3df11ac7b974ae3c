"""ResNet-18 w1a1 on ImageNet as published: 58.1 % top-1, 80.0 % top-5 (IR-Net).

Source: IR-Net (CVPR 2020) and its released trainer: 62,500 steps of 2,048 images, SGD with
Nesterov momentum 0.9, warm-up from 0.2 to 0.8 in 2,500 steps, times 0.1 after 30, 60 and 90 % of
them, L2 1e-5 on all weights; random crop, flip, colour jitter; one shortcut per convolution, float
1x1 shortcuts. The learning rate is that of 2,048 images and scales with ``batch_size``.

Deviations: sign(0) = +1; EDE from 1e-1 to 1e1 per step (the released code
has no schedule here; an independent port with one, batch 1,024 and L2 1e-4 reports 58.58 %);
windows of strided convolutions, see docs/explanation/training.md; the last 10,000 training images
are a validation split, the 50,000 validation images are the test split.

Command: irnet train resnet18-w1a1-imagenet-paper
Result: not yet run.
"""

from irnet_keras.training.config import TrainConfig

RECIPE = TrainConfig(
    name="resnet18-w1a1-imagenet-paper",
    network="resnet18",
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
    weight_decay=1e-5,
    norm_decay=1e-5,
    latent_decay=1e-5,
    ede_t_min=0.1,
    ede_t_max=10.0,
    validation_images=10000,
)
