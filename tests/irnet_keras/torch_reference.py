"""IR-Net's PyTorch networks in float64 with their own padding, and random weights for them.

Written from the released networks' definition, not from the importer: names, windows that begin
above and left of the image, axes in PyTorch's order.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
State = dict[str, NDArray[np.float32]]
AMBIGUOUS = 1e-4  # float32 rounding adds up to less

RESNETS = {
    "resnet20": ((3, 3, 3), (16, 32, 64), ""),
    "resnet18-cifar10": ((2, 2, 2, 2), (64, 128, 256, 512), "shortcut"),
    "resnet18-imagenet": ((2, 2, 2, 2), (64, 128, 256, 512), "downsample"),
}


def random_state(rng: np.random.Generator, network: str, *, binary: bool) -> State:
    """Weights with PyTorch's names and shapes; batch norms with statistics of both signs."""
    state: State = {}

    def conv(name: str, channels: int, filters: int, size: int) -> None:
        values = rng.normal(0, (channels * size * size) ** -0.5, (filters, channels, size, size))
        state[f"{name}.weight"] = values.astype(np.float32)

    def norm(name: str, channels: int, variance: float = 1.0) -> None:
        spread = variance**0.5
        signs = rng.choice([-1, 1], channels, p=[0.2, 0.8])
        values = {
            "weight": rng.uniform(0.5, 1.5, channels) * signs,
            "bias": rng.normal(0, 0.3, channels),
            "running_mean": rng.normal(0, 0.3, channels) * spread,
            "running_var": rng.uniform(0.5, 1.5, channels) * variance,
        }
        for own, value in values.items():
            state[f"{name}.{own}"] = value.astype(np.float32)
        state[f"{name}.num_batches_tracked"] = np.array(7)

    def inner(place: str, number: int, channels: int, filters: int) -> None:
        conv(f"{place}conv{number}", channels, filters, 3)
        norm(f"{place}bn{number}", filters, 9 * channels if binary else 1.0)

    def dense(name: str, inputs: int, units: int) -> None:
        state[f"{name}.weight"] = rng.normal(0, inputs**-0.5, (units, inputs)).astype(np.float32)
        state[f"{name}.bias"] = rng.normal(0, 1, units).astype(np.float32)

    if network == "vgg-small":
        conv("conv0", 3, 128, 3)
        norm("bn0", 128)
        widths = (128, 128, 256, 256, 512, 512)
        for number in range(1, 6):
            inner("", number, widths[number - 1], widths[number])
        dense("fc", 512 * 4 * 4, 10)
        return state
    blocks, widths, shortcut = RESNETS[network]
    imagenet = network == "resnet18-imagenet"
    conv("conv1", 3, widths[0], 7 if imagenet else 3)
    norm("bn1", widths[0])
    before = widths[0]
    for stage, (count, width) in enumerate(zip(blocks, widths, strict=True), start=1):
        for block in range(count):
            place = f"layer{stage}.{block}."
            inner(place, 1, before, width)
            inner(place, 2, width, width)
            if before != width and shortcut:
                conv(f"{place}{shortcut}.0", before, width, 1)
                norm(f"{place}{shortcut}.1", width)
            before = width
    norm("bn2", before, 0.1)
    if imagenet:
        start = {"weight": 1, "bias": 0, "running_mean": 0, "running_var": 1}
        state |= {f"bn3.{own}": np.full(1000, v, np.float32) for own, v in start.items()}
    dense("fc" if imagenet else "linear", before, 1000 if imagenet else 10)
    return state


class Reference:
    """One network on images ``(batch, height, width, channels)``.

    Args:
        state: PyTorch's weights.
        binary_weights: Libra-PB on the inner convolutions.
        signs_of: for each inner convolution the input another implementation has; where ours is
            ambiguous its sign is taken. None: the inputs are not binarized.

    Attributes:
        inputs: of the inner convolutions, before binarization.
        wrong_signs: that are not ambiguous.
    """

    def __init__(
        self, state: State, *, binary_weights: bool, signs_of: Sequence[Doubles] | None
    ) -> None:
        self._state = {name: np.asarray(value, np.float64) for name, value in state.items()}
        self._binary_weights = binary_weights
        self._signs_of = signs_of
        self.inputs: list[Doubles] = []
        self.wrong_signs = 0

    def _conv(self, x: Doubles, weights: Doubles, stride: int = 1) -> Doubles:
        size = weights.shape[2]
        pad = size // 2
        x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
        return tf.nn.conv2d(x, np.transpose(weights, (2, 3, 1, 0)), stride, "VALID").numpy()

    def _inner(self, x: Doubles, name: str, stride: int = 1) -> Doubles:
        weights = self._state[f"{name}.weight"]
        if self._binary_weights:
            flat = weights.reshape(len(weights), -1)
            flat = flat - flat.mean(axis=1, keepdims=True)
            flat /= flat.std(axis=1, ddof=1, keepdims=True)
            power = np.round(np.log2(np.abs(flat).mean(axis=1, keepdims=True)))
            weights = (np.sign(flat) * 2**power).reshape(weights.shape)
        self.inputs.append(x)
        if self._signs_of is not None:
            other = self._signs_of[len(self.inputs) - 1]
            clear = np.abs(x) > AMBIGUOUS
            self.wrong_signs += int(((x > 0) != (other >= 0))[clear].sum())
            x = np.where(clear, np.sign(x), np.where(other >= 0, 1.0, -1.0))
        return self._conv(x, weights, stride)

    def _norm(self, x: Doubles, name: str) -> Doubles:
        gamma, beta, mean, variance = (
            self._state[f"{name}.{own}"]
            for own in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta

    def _dense(self, x: Doubles, name: str) -> Doubles:
        return x @ self._state[f"{name}.weight"].T + self._state[f"{name}.bias"]

    def vgg_small(self, images: Doubles) -> Doubles:
        """conv0 to conv5, pooling behind every second."""
        x = np.clip(self._norm(self._conv(images, self._state["conv0.weight"]), "bn0"), -1, 1)
        for number in range(1, 6):
            x = self._inner(x, f"conv{number}")
            if number % 2:
                n, h, w, c = x.shape
                x = x.reshape(n, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))
            x = np.clip(self._norm(x, f"bn{number}"), -1, 1)
        return self._dense(np.transpose(x, (0, 3, 1, 2)).reshape(len(x), -1), "fc")

    def resnet(self, images: Doubles, network: str, *, relu: bool = False) -> Doubles:
        """Of ``RESNETS``; CIFAR's ResNet-18 has normal blocks, the others Bi-Real's.

        With ``relu`` IR-Net's w1a32 networks: normal blocks, and on CIFAR no activation behind
        the stem and one before the classifier.
        """
        blocks, _, shortcut = RESNETS[network]
        normal = relu or network == "resnet18-cifar10"
        top = np.inf if relu else 1
        low = 0 if relu else -1
        imagenet = network == "resnet18-imagenet"
        x = self._conv(images, self._state["conv1.weight"], 2 if imagenet else 1)
        x = self._norm(x, "bn1")
        if not normal or imagenet:
            x = np.clip(x, low, top)
        if imagenet:
            padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
            x = tf.nn.max_pool2d(padded, 3, 2, "VALID").numpy()
        for stage, count in enumerate(blocks, start=1):
            for block in range(count):
                stride = 2 if stage > 1 and block == 0 else 1
                place = f"layer{stage}.{block}"
                kept = x
                if stride == 2:
                    kept = self._shortcut(x, place, shortcut)
                x = self._norm(self._inner(x, f"{place}.conv1", stride), f"{place}.bn1")
                if normal:
                    x = np.clip(x, low, top)
                else:
                    x = kept = np.clip(x + kept, low, top)
                x = self._norm(self._inner(x, f"{place}.conv2"), f"{place}.bn2")
                x = np.clip(x + kept, low, top)
        x = x.mean(axis=(1, 2))
        if "bn2.weight" in self._state:  # torchvision has none
            x = self._norm(x, "bn2")
        if relu and not imagenet:
            x = np.maximum(x, 0)
        return self._dense(x, "fc" if imagenet else "linear")

    def _shortcut(self, x: Doubles, place: str, name: str) -> Doubles:
        x = x[:, ::2, ::2]
        if not name:
            extra = x.shape[-1] // 2
            return np.pad(x, ((0, 0), (0, 0), (0, 0), (extra, extra)))
        x = self._conv(x, self._state[f"{place}.{name}.0.weight"])
        return self._norm(x, f"{place}.{name}.1")
