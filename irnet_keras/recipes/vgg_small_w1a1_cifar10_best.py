"""VGG-Small w1a1 on CIFAR-10, the best recipe found here.

Source: Adam, small batches and EDE up to t = 2, for short runs (pilots in
docs/explanation/training.md).

Command: irnet train vgg-small-w1a1-cifar10-best
Result: not yet run for its 100 epochs; 80.10 % on the 10,000 test images with --epochs 6, what one
core did in 104 minutes.
"""

from irnet_keras.training.config import TrainConfig

RECIPE = TrainConfig(
    name="vgg-small-w1a1-cifar10-best",
    network="vgg-small",
    structure="plain",
    epochs=100,
    batch_size=64,
    optimizer="adam",
    learning_rate=0.003,
    warmup_epochs=1,
    ede_t_min=1e-1,
    ede_t_max=2.0,
    validation_images=2500,
    compute="bfloat16",
)
