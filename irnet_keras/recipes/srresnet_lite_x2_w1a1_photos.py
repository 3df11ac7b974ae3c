"""SRResNet-lite x2 w1a1 on 12 photographs that packages ship.

Source: L1 and Adam as EDSR, crops with flips and quarter turns; the rest from short pilots
(docs/explanation/super_resolution.md). 3 more photographs choose the best epoch, 5 are the test.

Command: irnet data prepare photos && irnet train srresnet-lite-x2-w1a1-photos
Result: 33.58 dB PSNR on Y (last epoch; 33.47 dB at the best validation epoch), bicubic 32.16 dB;
SSIM 0.9169 against 0.8925; 26 minutes at low priority in one thread of 2 shared cores of an x86-64
server, 2026-11-23. Log: docs/runs/srresnet-lite-x2-w1a1.
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
