"""ResNet-20 w1a32 (binary weights, float activations) on CIFAR-10 in 60 epochs.

Source: SGD as published, with Nesterov's momentum, a warm-up and inner batch-norm scales starting
at 0.25; EDE up to t = 3. In pilots of 2 epochs on 16,000 images it was at 51.3 % on the validation
split, Adam at 0.005 at 46.6 % (docs/explanation/training.md).

Command: irnet train resnet20-w1a32-cifar10-short
Result: 85.19 % on the 10,000 test images (last epoch, the best of the validation split, too). That
run had 24 epochs first (82.30 %) and was then continued to 60, the learning rate on the longer
cosine (docs/explanation/training.md).
"""

from irnet_keras.training.config import TrainConfig

RECIPE = TrainConfig(
    name="resnet20-w1a32-cifar10-short",
    precision="w1a32",
    epochs=60,
    batch_size=128,
    learning_rate=0.1,
    nesterov=True,
    weight_decay=1e-4,
    warmup_epochs=1,
    ede_t_min=1e-1,
    ede_t_max=3.0,
    residual_gamma=0.25,
    validation_images=2500,
    compute="bfloat16",
)
