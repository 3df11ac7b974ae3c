"""SRResNet-lite x2 w1a1 on DIV2K's 800 training images.

Source: L1, Adam, batch 16 and crops of 96 pixels as EDSR on DIV2K (300,000 steps there, 200,000
here), the rest as the recipe for photographs. The data set is held in memory, about 8.3 GB.

Command: irnet train srresnet-lite-x2-w1a1-div2k
Result: not yet run.
"""

from irnet_keras.training.config import TrainConfig

RECIPE = TrainConfig(
    name="srresnet-lite-x2-w1a1-div2k",
    network="srresnet-lite-x2",
    dataset="div2k",
    epochs=200,
    batch_size=16,
    optimizer="adam",
    learning_rate=4e-3,
    warmup_epochs=1,
    ede_t_min=1e-1,
    ede_t_max=2.0,
    residual_gamma=0.25,
    validation_images=10,
    crop_size=48,
    crops_per_image=20,
)
