"""ResNet-20 w1a1 on CIFAR-10 in 30 epochs.

Source: IR-Net (CVPR 2020) with a schedule for short runs: Adam instead of SGD and inner
batch-norm scales starting at 0.25 (both chosen on the validation split), EDE up to t = 2 instead
of 10; see docs/explanation/training.md.

Command: irnet train resnet20-w1a1-cifar10-short
Result: 79.00 % on the 10,000 test images (last epoch; 78.34 % at the best validation epoch); 69
minutes on 2 shared cores of an x86-64 server, 2026-11-23. Log:
docs/runs/resnet20-w1a1-cifar10-short.
"""

from irnet_keras.training.config import TrainConfig

RECIPE = TrainConfig(
    name="resnet20-w1a1-cifar10-short",
    epochs=30,
    batch_size=128,
    optimizer="adam",
    learning_rate=0.008,
    warmup_epochs=1,
    ede_t_min=1e-1,
    ede_t_max=2.0,
    residual_gamma=0.25,
)
