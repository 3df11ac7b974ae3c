"""Which of LCE's kernels a file needs, against what LCE's interpreter really accepts."""

from pathlib import Path

import numpy as np
import pytest

from converters.explain import explain
from converters.explain.targets import refusals
from converters.explain.wiring import Wiring
from converters.graph import BCONV, read_graph
from converters.runtimes import TFLiteProcess
from irnet_keras.errors import CheckFailed, UsageError
from tests.native import nets
from tests.native.layer_models import add_bconv
from tests.native.nets import NetBuilder, write_model

# padding, pad value, output, activation, channels, groups, dummy multiplier, what the file needs
CASES = {
    "valid float": (nets.VALID, 0, "float32", nets.NONE, 64, 1, True, "lce"),
    "valid relu": (nets.VALID, 0, "float32", nets.RELU, 64, 1, True, "lce"),
    "valid bits": (nets.VALID, 0, "int32", nets.NONE, 64, 1, True, "lce"),
    "one bits": (nets.SAME, 1, "int32", nets.NONE, 64, 1, True, "lce"),
    "one int8": (nets.SAME, 1, "int8", nets.NONE, 64, 1, True, "lce"),
    "zero float": (nets.SAME, 0, "float32", nets.NONE, 64, 1, True, "lce"),
    "zero float odd": (nets.SAME, 0, "float32", nets.NONE, 33, 1, True, "lce"),
    "zero relu": (nets.SAME, 0, "float32", nets.RELU, 64, 1, True, "lce-other"),
    "zero relu odd": (nets.SAME, 0, "float32", nets.RELU, 33, 1, True, "delegate"),
    "zero int8": (nets.SAME, 0, "int8", nets.NONE, 64, 1, True, "lce-other"),
    "zero bits": (nets.SAME, 0, "int32", nets.NONE, 64, 1, True, "lce-other"),
    "zero bits, no multiplier": (nets.SAME, 0, "int32", nets.NONE, 64, 1, False, "delegate"),
    "zero bits odd": (nets.SAME, 0, "int32", nets.NONE, 33, 1, True, "delegate"),
    "groups": (nets.VALID, 0, "float32", nets.NONE, 64, 2, True, "lce-other"),
}


def one_convolution(
    rng: np.random.Generator, case: tuple[int, int, str, int, int, int, bool, str], image: int
) -> bytes:
    padding, pad_values, output, activation, channels, groups, dummy, _ = case
    net = NetBuilder()
    source = net.input((1, image, image, channels), "float32")
    packed = net.op(
        nets.QUANTIZE, [source], net.tensor((1, image, image, -(-channels // 32)), "int32")
    )
    options = {
        "channels_in": channels,
        "stride_height": 1,
        "stride_width": 1,
        "dilation_height_factor": 1,
        "dilation_width_factor": 1,
        "padding": padding,
        "pad_values": pad_values,
        "fused_activation_function": activation,
    }
    result = add_bconv(net, rng, packed, 32, (3, 3), options, output, groups, dummy)
    return write_model(net.build(result))


def accepted(path: Path, mode: str) -> bool:
    try:
        with TFLiteProcess(path, engine="lce", mode=mode):
            return True
    except (UsageError, CheckFailed):  # (the reference kernel crashes without a multiplier)
        return False


@pytest.mark.parametrize("name", CASES)
def test_the_matrix_is_what_lce_does(name: str, rng: np.random.Generator, tmp_path: Path) -> None:
    case = CASES[name]
    path = tmp_path / "one.tflite"
    path.write_bytes(one_convolution(rng, case, image=8))
    graph = read_graph(path)
    target = explain(graph, "one").target
    assert target.needs == case[-1]
    (op,) = graph.ops_named(BCONV)
    default, others = refusals(op, Wiring(graph))
    assert (default is None) == accepted(path, "default")
    if default is not None:
        assert target.reasons[0].startswith(f"{BCONV} {op.index}: the default kernels refuse")
        assert (others is None) == (accepted(path, "indirect") or accepted(path, "reference"))


def test_a_kernel_larger_than_its_image_needs_other_kernels(rng: np.random.Generator) -> None:
    graph = read_graph(one_convolution(rng, CASES["zero float"], image=2))
    target = explain(graph, "one").target
    assert target.needs == "lce-other"
    assert "the kernel exceeds the image" in target.reasons[0]
