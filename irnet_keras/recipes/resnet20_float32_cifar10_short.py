"""The float32 twin of ResNet-20 (same graph, quantizers off) on CIFAR-10 in 31 epochs.

Source: SGD with momentum and cosine as in the paper; L2 5e-4 as in later work on the same
networks; inner batch-norm scales starting at 0.25 as in the 1-bit recipe.

Command: irnet train resnet20-float32-cifar10-short
Result: 86.01 % on the 10,000 test images (last epoch; 85.92 % at the best validation epoch), from
a run whose length was extended on the way (docs/explanation/training.md). Log:
docs/runs/resnet20-float32-cifar10.
"""

from irnet_keras.training.config import TrainConfig

RECIPE = TrainConfig(
    name="resnet20-float32-cifar10-short",
    precision="float32",
    epochs=31,
    batch_size=128,
    learning_rate=0.1,
    nesterov=True,
    warmup_epochs=1,
    weight_decay=5e-4,
    residual_gamma=0.25,
)
