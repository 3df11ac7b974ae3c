"""Make the small files that fuzzing starts from.

    python -m tests.fuzz.make_seeds

Writes ``tests/fuzz/seeds/*.tflite``: real converters' output for every operator on the allow-list
that they emit, in networks as small as they allow, and 1-bit layers of every kind.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import irnet_keras  # noqa: F401  (selects Keras 2)

# isort: split
import larq
import larq_compute_engine
import numpy as np
import tensorflow as tf

from converters.graph import read_graph
from converters.lce import convert
from tests.fuzz.built_seeds import built
from tests.native import nets
from tests.native.layer_models import add_bconv
from tests.native.mutations import base, pool_base
from tests.native.nets import NetBuilder, write_model

FOLDER = Path(__file__).with_name("seeds")
Keras = tf.keras.layers


def mobile(x: Any) -> Any:
    """Convolutions, a shortcut, pools and a classifier."""
    x = Keras.Conv2D(4, 3, strides=2, padding="same", activation="relu6")(x)
    y = Keras.DepthwiseConv2D(3, padding="same")(x)
    x = Keras.Conv2D(4, 1)(Keras.ReLU()(y)) + x
    x = Keras.MaxPool2D(2)(x)
    x = Keras.GlobalAveragePooling2D()(x)
    return Keras.Dense(3, activation="softmax")(x)


def shapes(x: Any) -> Any:
    """Values moved about."""
    a = tf.pad(x, [[0, 0], [1, 2], [0, 1], [0, 0]])
    b = tf.pad(x, [[0, 0], [1, 2], [0, 1], [0, 0]], constant_values=-1.0)
    a = tf.concat([a, b], -1)[:, ::2, 1:-1, :5]
    b = tf.transpose(tf.reshape(a, [1, -1, 5]), [0, 2, 1])
    return tf.squeeze(tf.expand_dims(b, 1), 1)


def images(x: Any) -> Any:
    """Images to other sizes."""
    a = tf.nn.depth_to_space(x, 2)
    b = tf.image.resize(x, [12, 10])
    c = tf.compat.v1.image.resize_nearest_neighbor(a, [12, 10])
    a = tf.nn.space_to_depth(b[:, :, :, :1] + c[:, :, :, :1], 2)
    return tf.pad(tf.reverse(a, [1]), [[0, 0], [2, 2], [1, 1], [0, 0]], "REFLECT")


def pointwise(x: Any) -> Any:
    """Functions of single values."""
    a = tf.nn.elu(tf.abs(x) + 1) * tf.nn.leaky_relu(x, 0.1) - tf.exp(-x)
    b = tf.math.rsqrt(tf.square(x) + 1) / tf.sqrt(tf.square(x) + 2)
    c = tf.floor(a) + tf.round(b) + tf.sigmoid(x) * tf.tanh(x) + tf.nn.gelu(x)
    return tf.maximum(c, tf.minimum(a, tf.math.squared_difference(b, x))) + tf.math.log(x * x + 1)


def choices(x: Any) -> Any:
    """Comparisons and what follows."""
    yes = tf.logical_or(tf.logical_and(x > 0, x <= 1), tf.logical_not(x != 2))
    a = tf.where(yes, x, tf.zeros_like(x) - 1)
    b = tf.cast(tf.argmax(a, -1), tf.float32) + tf.cast(x[..., 0] >= 0.5, tf.float32)
    return b + tf.reduce_max(x, -1) - tf.reduce_min(x, -1) + tf.reduce_sum(x, -1)


def parts(x: Any) -> Any:
    """Parts of tensors."""
    a, b = tf.split(x, 2, -1)
    c = tf.stack(tf.unstack(a + b, axis=1), 1)
    d = tf.gather(c, [2, 0, 1], axis=2)
    return tf.slice(d, [0, 1, 0, 0], [1, 3, 2, 2]) + tf.reduce_mean(x, [1, 2, 3], keepdims=True)


def upsampling(x: Any) -> Any:
    """A transposed convolution with a learnt slope."""
    return Keras.PReLU(shared_axes=[1, 2])(Keras.Conv2DTranspose(3, 3, 2, padding="same")(x))


def activations(x: Any) -> Any:
    """What 8-bit networks use."""
    x = Keras.Conv2D(4, 3, activation=tf.nn.silu)(x)
    x = x * tf.nn.relu6(x + 3) * (1 / 6)
    x = Keras.AveragePooling2D(2)(x)
    x = tf.concat([tf.tanh(x), Keras.LeakyReLU(0.1)(x)], -1)
    return Keras.Softmax()(tf.image.resize(x, [4, 4]))


def dynamic(x: Any) -> Any:
    """A reshape whose shape is computed from the input's."""
    return Keras.Reshape((-1, 2))(x)


FLOATS: dict[str, Callable[[Any], Any]] = {
    f.__name__: f
    for f in (mobile, shapes, images, pointwise, choices, parts, upsampling, activations, dynamic)
}


def network(function: Callable[[Any], Any], size: int = 6, channels: int = 4) -> Any:
    """Keras model of a function."""
    batch = None if function is dynamic else 1
    inputs = tf.keras.Input((size, size, channels), batch_size=batch)
    return tf.keras.Model(inputs, function(inputs))


def converted(model: Any, kind: str) -> bytes:
    """float32, float16, weights (8-bit weights alone) or int8."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind == "weights":
        converter._experimental_disable_per_channel = False
    if kind == "int8":
        rng = np.random.default_rng(0)
        shape = model.input_shape

        def representative() -> Iterator[list[Any]]:
            for _ in range(8):
                yield [rng.normal(0, 1, shape).astype(np.float32)]

        converter.representative_dataset = representative
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def binary(padding: str, pad_values: float, *, pool: bool = False) -> Any:
    """Two binary convolutions with batch norms on 5 x 5 pixels."""
    quantizers = {"input_quantizer": "ste_sign", "kernel_quantizer": "ste_sign"}
    inputs = tf.keras.Input((5, 5, 32), batch_size=1)
    x = inputs
    for _ in range(2):
        x = larq.layers.QuantConv2D(
            32, 1 if pool else 3, padding=padding, pad_values=pad_values, use_bias=False,
            **quantizers,
        )(x)  # fmt: skip
        if pool:
            x = Keras.MaxPool2D(2, 2)(x)
        x = Keras.BatchNormalization()(x)
    return tf.keras.Model(inputs, x)


def one_layer(output: str, padding: int, pad_values: int, groups: int = 1) -> bytes:
    """A file of one binary convolution."""
    if groups == 1:
        return write_model(base(output, padding, pad_values))
    net = NetBuilder()
    options = {
        "channels_in": 64, "stride_height": 2, "stride_width": 1, "dilation_height_factor": 1,
        "dilation_width_factor": 1, "padding": padding, "pad_values": pad_values,
        "fused_activation_function": nets.RELU if padding == nets.VALID else nets.NONE,
    }  # fmt: skip
    source = net.input((1, 5, 4, 2), "int32")
    rng = np.random.default_rng(0)
    return write_model(
        net.build(add_bconv(net, rng, source, 4, (3, 2), options, output, groups=groups))
    )


def signs() -> bytes:
    """Values to signs and back."""
    net = NetBuilder()
    source = net.input((1, 3, 3, 35), "float32")
    bits = net.op(nets.QUANTIZE, [source], net.tensor((1, 3, 3, 2), "int32"))
    eight = net.op(
        nets.DEQUANTIZE, [bits], net.tensor((1, 3, 3, 35), "int8", scale=0.5, zero_point=3)
    )
    again = net.op(nets.QUANTIZE, [eight], net.tensor((1, 3, 3, 2), "int32"))
    return write_model(
        net.build(net.op(nets.DEQUANTIZE, [again], net.tensor((1, 3, 3, 35), "float32")))
    )


def seeds() -> Iterator[tuple[str, bytes]]:
    """Name and content of every file."""
    tf.keras.utils.set_random_seed(0)
    for name, function in FLOATS.items():
        yield f"{name}-float32", converted(network(function), "float32")
    for name in ("mobile", "activations", "upsampling", "parts", "images", "shapes"):
        yield f"{name}-int8", converted(network(FLOATS[name]), "int8")
    wide = network(mobile, 5, 64)  # only tensors of 1,024 values are quantized
    yield "mobile-float16", converted(network(mobile), "float16")
    yield (
        "dense-weights",
        converted(network(lambda x: Keras.Dense(18)(Keras.Flatten()(x)), 4, 4), "weights"),
    )
    yield "mobile-weights", converted(wide, "weights")
    yield "bconv-zero", larq_compute_engine.convert_keras_model(binary("same", 0.0))
    yield "bconv-one", convert(binary("same", 1.0)).data
    yield "bconv-pool", convert(binary("valid", 0.0, pool=True)).data
    for output in ("float32", "int8", "int32"):
        yield f"bconv-{output}", one_layer(output, nets.SAME, 1)
    yield "bconv-groups", one_layer("float32", nets.VALID, 0, 2)
    yield "bconv-groups-packed", one_layer("int32", nets.SAME, 1, 2)
    yield "bconv-packed-zero", one_layer("int32", nets.SAME, 0)
    yield "signs", signs()
    yield "bmaxpool", write_model(pool_base())
    yield from built()


def main() -> None:
    """Write all files."""
    FOLDER.mkdir(exist_ok=True)
    for name, content in seeds():
        ops = sorted({op.name for op in read_graph(content).ops})
        (FOLDER / f"{name}.tflite").write_bytes(content)
        print(f"{name}: {len(content)} bytes, {', '.join(ops)}")


if __name__ == "__main__":
    main()
