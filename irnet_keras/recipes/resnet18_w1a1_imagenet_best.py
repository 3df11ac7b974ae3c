"""ResNet-18 w1a1 on ImageNet with the longer schedule of later work on the same network.

Source: ReCU and SiMaN report 60 to 61 % top-1 with 150 to 200 epochs of batch 512, SGD 0.1 and one
cosine, where IR-Net has 100 epochs in steps; L2 1e-4. AdaBin reports 63.1 % and, with binary
activations first and binary weights afterwards, 66.4 %: hence two stages of 100 epochs. Nothing
here was chosen by a run of ours.

Deviations and splits: as resnet18_w1a1_imagenet_paper; no L2 on binary latents.

Command: irnet train resnet18-w1a1-imagenet-best
Result: not yet run.
"""

from irnet_keras.training.config import TrainConfig

RECIPE = TrainConfig(
    name="resnet18-w1a1-imagenet-best",
    network="resnet18",
    dataset="imagenet",
    epochs=200,
    stage1_epochs=100,
    batch_size=512,
    learning_rate=0.1,
    base_batch_size=512,
    nesterov=True,
    warmup_epochs=5,
    weight_decay=1e-4,
    norm_decay=1e-4,
    ede_t_min=0.1,
    ede_t_max=10.0,
    validation_images=10000,
)
