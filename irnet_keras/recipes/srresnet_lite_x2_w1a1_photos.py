"""SRResNet-lite x2 w1a1 on 12 photographs that packages ship.

Source: L1 and Adam as EDSR, crops with flips and quarter turns; the rest from short pilots
(docs/explanation/super_resolution.md). 3 more photographs choose the best epoch, 5 are the test.

Command: irnet data prepare photos && irnet train srresnet-lite-x2-w1a1-photos
Result: not yet run.
"""

from irnet_keras.training.config import TrainConfig

RECIPE = TrainConfig(
    name="srresnet-lite-x2-w1a1-photos",
    network="srresnet-lite-x2",
    dataset="photos",
    epochs=60,
    batch_size=16,
    optimizer="adam",
    learning_rate=4e-3,
    warmup_epochs=0.5,
    ede_t_min=1e-1,
    ede_t_max=2.0,
    residual_gamma=0.25,
    validation_images=3,
    crop_size=24,
    crops_per_image=160,
)
