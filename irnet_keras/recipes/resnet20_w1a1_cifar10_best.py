"""ResNet-20 w1a1 on CIFAR-10, the best recipe found here, in 80 epochs.

Source: as resnet20_w1a1_cifar10_short (Adam, inner batch-norm scales starting at 0.25, EDE up to
t = 2), longer; 2,500 images for validation instead of 5,000; binary convolutions multiply bfloat16
while training.

Command: irnet train resnet20-w1a1-cifar10-best
Result: 82.21 % on the 10,000 test images (last epoch; 81.73 % at the best validation epoch); 150
minutes on one core of an AMD EPYC with AVX512-BF16.
"""

from irnet_keras.training.config import TrainConfig

RECIPE = TrainConfig(
    name="resnet20-w1a1-cifar10-best",
    epochs=80,
    batch_size=128,
    optimizer="adam",
    learning_rate=0.008,
    warmup_epochs=1,
    ede_t_min=1e-1,
    ede_t_max=2.0,
    residual_gamma=0.25,
    validation_images=2500,
    compute="bfloat16",
)
