"""Every named cause is found where it is, and nowhere else."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import larq as lq
import larq_compute_engine as lce
import pytest
import tensorflow as tf
from model_files import binary_conv, small_classifier, write_float
from results import DEVICE
from typer.testing import CliRunner

from converters.explain import Explanation, explain
from converters.graph import Graph, read_graph
from edge_bench.conditions import (
    kernel_of,
    kernel_warnings,
    throttling_flags,
    with_warnings,
)
from edge_bench.doctor import Diagnosis, Finding, diagnose
from edge_bench.examine import examine_machine, examine_model, shares_in_lce
from edge_bench.examine_target import examine_target, timed
from edge_bench.host import those_that_matter
from edge_bench.schema import Device
from edge_bench.targets import parse_address
from edge_bench.tools import OpTime
from irnet_cli.app import app
from irnet_keras.errors import UsageError

layers = tf.keras.layers
GOOD = "LiteRT 2.3.0 + lce_delegate 0.1.0 (neon) + XNNPACK"


def device(**more: Any) -> Device:
    return Device.model_validate({**DEVICE, **more})


def state(**more: Any) -> dict[str, Any]:
    return {"load_average": None, "frequency_mhz": [], "temperature_c": None, **more}


def causes(diagnosis: Diagnosis) -> list[str]:
    return [finding.cause for finding in diagnosis.findings]


def find(diagnosis: Diagnosis, cause: str) -> Finding:
    (found,) = [f for f in diagnosis.findings if f.cause == cause]
    return found


@pytest.fixture(scope="module")
def binary() -> Graph:
    tf.keras.utils.set_random_seed(4)
    return read_graph(lce.convert_keras_model(binary_conv()))


def binary_layers(*quantized: Any, stem: int = 3) -> Explanation:
    """A float stem, batch norm and 1-bit layers."""
    model = tf.keras.Sequential(
        [
            layers.Conv2D(64, stem, padding="same", input_shape=(8, 8, 3)),
            layers.BatchNormalization(),
            *quantized,
        ]
    )
    return explain(read_graph(lce.convert_keras_model(model)), "model")


def conv(**options: Any) -> Any:
    defaults = {"input_quantizer": "ste_sign", "kernel_quantizer": "ste_sign", "use_bias": False}
    return lq.layers.QuantConv2D(64, 3, **{**defaults, **options})


@pytest.mark.parametrize(
    ("change", "cause", "evidence", "cure"),
    [
        ({"os_bits": 32}, "32-bit operating system", "32-bit programs", "64-bit system"),
        ({"cpu_features": ["fp"]}, "no NEON", "scalar kernels only", "-cpu cortex-a72"),
        ({"cores": 1}, "more threads than cores", "2 threads on 1 cores", "--threads 1"),
        (
            {"after": state(throttling=["under-voltage now"])},
            "throttling or a busy machine", "under-voltage now", "power supply",
        ),
        (
            {"before": state(temperature_c=50), "after": state(temperature_c=70)},
            "throttling or a busy machine", "rose from 50 to 70", "heat sink",
        ),
        (
            {"after": state(temperature_c=82)},
            "throttling or a busy machine", "82 °C, where boards throttle", "heat sink",
        ),
        (
            {"before": state(frequency_mhz=[1800]), "after": state(frequency_mhz=[600])},
            "throttling or a busy machine", "1800 to 600 MHz", "heat sink",
        ),
        (
            {"before": state(governor="powersave"), "after": state(governor="powersave")},
            "throttling or a busy machine", "powersave", "-g performance",
        ),
        (
            {"before": state(governor="performance"), "after": state(governor="ondemand")},
            "throttling or a busy machine", "from performance to ondemand", "-g performance",
        ),
        (
            {"before": state(load_average=[3, 1, 1])},
            "throttling or a busy machine", "load 3.00 on 4 cores", "other work",
        ),
        (  # more than its own 2 threads and half of the 4 cores
            {"before": state(load_average=[1, 1, 1]), "after": state(load_average=[5.1, 1, 1])},
            "throttling or a busy machine", "load 1.00, then 5.10 on 4 cores", "other work",
        ),
        (
            {"before": state(temperature_c=70), "after": state(temperature_c=50)},
            "throttling or a busy machine", "fell from 70 to 50", "heat sink",
        ),
    ],
)  # fmt: skip
def test_causes_in_the_machine(change: dict, cause: str, evidence: str, cure: str) -> None:
    found = diagnose(device(**change), threads=2)
    assert causes(found) == [cause]
    assert evidence in found.findings[0].evidence
    assert cure in found.findings[0].cure


def test_a_good_machine_has_none_and_an_unreadable_one_neither() -> None:
    assert causes(diagnose(device(), threads=4)) == []
    unread = device(before=state(), after=state(), os_bits=None, cpu_features=[])
    assert causes(diagnose(unread)) == []
    own_load = device(before=state(load_average=[0, 0, 0]), after=state(load_average=[6, 1, 1]))
    assert causes(diagnose(own_load, threads=4)) == []


@pytest.mark.parametrize(
    ("features", "machine", "missing"),
    [
        # as /proc/cpuinfo of a Pi Zero (ARMv6), a Pi 3 with a 32-bit and a 64-bit system says
        ("half thumb fastmult vfp edsp java tls", "armv6l", True),
        ("half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm crc32",
         "armv7l", False),
        ("fp asimd evtstrm crc32 cpuid", "aarch64", False),
        # an x86 host that shines through an emulator
        ("fpu vme sse2 avx2", "aarch64", False),
    ],
)  # fmt: skip
def test_an_arm_without_neon_is_known_by_what_its_kernel_lists(
    features: str, machine: str, missing: bool
) -> None:
    listed = those_that_matter(features.split())
    found = diagnose(device(machine=machine, cpu_features=listed))
    assert causes(found) == ["no NEON"] * missing


def test_what_is_slow_is_called_out_in_results_too() -> None:
    """As the table, the JSON and the report show it: the device's and the builds' warnings."""
    slow = device(os_bits=32, cpu_features=["vfp"], machine="armv7l", warnings=["earlier"])
    assert [w.split(":")[0] for w in with_warnings(slow).warnings] == [
        "earlier", "32-bit userland", "no NEON",
    ]  # fmt: skip
    assert with_warnings(device()).warnings == []
    assert kernel_warnings("avx2 and scalar")[0].startswith(
        "binary operators ran in scalar kernels"
    )
    assert kernel_warnings("reference") == [
        "binary operators ran in LCE's reference kernels, which are for debugging"
    ]
    for good in ("neon", "avx512", "default", "indirect", None):
        assert kernel_warnings(good) == []


def test_more_threads_than_cores_are_called_out_in_results_too() -> None:
    assert with_warnings(device(), threads=device().cores).warnings == []
    threads = device().cores + 1
    assert with_warnings(device(), threads=threads).warnings == [
        f"more threads than cores: {threads} threads on {device().cores} cores"
    ]


def test_bits_of_the_firmware_by_hand() -> None:
    assert throttling_flags(0) == []
    assert throttling_flags(0x50005) == [
        "under-voltage now", "throttled now", "under-voltage since the start",
        "throttled since the start",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("engine", "kernel"),
    [
        (GOOD, "neon"),
        ("LiteRT 2.3.0 + lce_delegate 0.1.0 (avx2 and scalar) + XNNPACK", "avx2 and scalar"),
        ("LiteRT 2.3.0 + XNNPACK", None),
        ("LCE 0.16.0, indirect BGEMM + XNNPACK requested", "indirect"),
        ("LCE 0.16.0, BGEMM", "default"),
        ("LCE 0.16.0, reference kernels", "reference"),
    ],
)
def test_the_kernel_set_is_read_from_the_engine(engine: str, kernel: str | None) -> None:
    assert kernel_of(engine) == kernel


def test_causes_in_the_kernels(binary: Graph) -> None:
    found = explain(binary, "model")
    assert causes(diagnose(device(), engine=GOOD, explanation=found)) == []
    for engine in (GOOD.replace("neon", "scalar"), "LCE 0.16.0, reference kernels + XNNPACK"):
        slow = diagnose(device(), engine=engine, explanation=found)
        assert causes(slow) == ["reference or scalar kernels"]
        assert slow.findings[0].share == pytest.approx(
            sum(op.estimated_share for op in found.ops if op.kind == "1-bit")
        )
    x86 = device(machine="x86_64", cpu_features=["avx2"])
    lce_engine = "LCE 0.16.0, indirect BGEMM + XNNPACK"
    slow = diagnose(x86, engine=lce_engine, explanation=found, run_ms=20.0, delegate_ms=5.0)
    assert causes(slow) == ["LCE's own kernels on x86"]
    assert (slow.findings[0].share, slow.findings[0].share_is) == (0.75, "measured")
    assert causes(diagnose(device(), engine=lce_engine, explanation=found)) == []  # has NEON


def test_causes_in_the_network() -> None:
    silent = diagnose(device(), explanation=binary_layers(conv(kernel_quantizer=None), conv()))
    layer = find(silent, "silent float layers")
    assert "fallback: reads signs, but weights are not signs" in layer.evidence
    assert layer.share is not None
    assert 0 < layer.share < 1
    assert "--strict" in layer.cure

    padded = diagnose(
        device(),
        explanation=binary_layers(conv(padding="same"), layers.BatchNormalization(), conv()),
    )
    assert "LCE cannot write bits" in find(padded, "zero padding").evidence
    assert "pad_values=1" in find(padded, "zero padding").cure
    ones = diagnose(
        device(), explanation=binary_layers(conv(padding="same", pad_values=1.0), conv())
    )
    assert {"zero padding", "silent float layers"}.isdisjoint(causes(ones))

    stem = diagnose(device(), explanation=binary_layers(conv(), stem=7))
    assert find(stem, "the stem dominates").evidence.startswith("CONV_2D 0 ")
    assert "--leftovers int8" in find(stem, "the stem dominates").cure


def test_shares_in_lce_are_of_the_run_there() -> None:
    """10 ms in the delegate, 6 of them 1-bit; in LCE 40 ms: the other 4 ms are a tenth."""
    plain = binary_layers(conv(), conv())
    kinds = [op.kind == "1-bit" for op in plain.ops]
    shares = [0.6 / sum(kinds) if b else 0.4 / kinds.count(False) for b in kinds]
    ops = tuple(
        op.model_copy(update={"measured_share": s}) for op, s in zip(plain.ops, shares, strict=True)
    )
    measured = plain.model_copy(update={"ops": ops})
    found = shares_in_lce(measured, 10.0, 40.0)
    for op, binary in zip(found.ops, kinds, strict=True):
        expected = 0.9 / sum(kinds) if binary else 0.1 / kinds.count(False)
        assert op.measured_share == pytest.approx(expected)
    assert shares_in_lce(measured, 10.0, 3.0) == measured  # float operators alone take 4 ms
    assert shares_in_lce(plain, 10.0, 40.0) == plain


def test_without_xnnpack_the_float_operators_are_named() -> None:
    found = binary_layers(conv())
    engine = GOOD.removesuffix(" + XNNPACK")
    off = find(diagnose(device(), engine=engine, explanation=found), "XNNPACK off")
    assert off.share == pytest.approx(
        sum(op.estimated_share for op in found.ops if op.kind == "float")
    )


def test_findings_without_a_share_come_first_then_the_largest() -> None:
    found = diagnose(
        device(os_bits=32), explanation=binary_layers(conv(kernel_quantizer=None), stem=7)
    )
    shares = [f.share for f in found.findings]
    assert shares[0] is None
    assert shares[1:] == sorted(shares[1:], reverse=True)


def test_this_machine_and_a_file_are_examined(binary: Graph) -> None:
    assert examine_machine().device.kind == "local"
    found = examine_model(binary, "binary.tflite", kernel="scalar", runs=5)
    assert find(found, "reference or scalar kernels").share_is == "measured"
    assert "(scalar)" in (found.engine or "")
    with pytest.raises(UsageError, match="--runtime must be one of auto, delegate, lce, got 'x'"):
        examine_model(binary, "x", runtime="x")
    with pytest.raises(UsageError, match="--runs must be at least 5, got 4"):
        examine_model(binary, "x", runs=4)


def test_a_target_is_examined_by_the_tool_there(binary: Graph) -> None:
    """This machine, reached as boards are."""
    found = examine_target(parse_address("local"), binary, "b.tflite", kernel="scalar", runs=5)
    slow = find(found, "reference or scalar kernels")
    assert slow.share_is == "measured"
    assert slow.share is not None
    assert 0 < slow.share < 1
    assert "(scalar)" in (found.engine or "")
    assert "XNNPACK off" not in causes(found)
    assert found.device.kind == "local"
    alone = examine_target(parse_address("local"), threads=10_000)
    assert "more threads than cores" in causes(alone)


def test_a_tools_times_and_estimates_of_the_rest_sum_to_one() -> None:
    graph = read_graph(
        lce.convert_keras_model(
            tf.keras.Sequential(
                [layers.Conv2D(64, 3, input_shape=(8, 8, 3)), conv(), layers.ReLU()]
            )
        )
    )
    plain = explain(graph, "model")
    (bconv,) = [op for op in plain.ops if op.op == "LceBconv2d"]
    rows = [
        OpTime("LceBconv2d", "", bconv.index, 0.6, 0.6),
        OpTime("other operators (runtime)", "", None, 0.4, 0.4),
    ]
    found = timed(plain, graph, rows)
    assert found.ops[bconv.index].measured_share == 0.6
    others = [op for op in found.ops if op.index != bconv.index]
    assert [op.measured_share for op in others] == [None] * len(others)
    assert sum(op.estimated_share for op in others) == pytest.approx(0.4)
    ratio = {op.index: op.estimated_share for op in plain.ops}
    first, *more = others
    for op in more:
        assert op.estimated_share * ratio[first.index] == pytest.approx(
            first.estimated_share * ratio[op.index]
        )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--runtime", "xx"], "--runtime must be one of auto, delegate, lce, got 'xx'"),
        (["--runs", "4", "--on", "ssh://board"], "--runs must be at least 5, got 4"),
        (["--threads", "33"], "--threads must be from 1 to 32, got 33"),
        (["--kernel", "neon"], "--kernel goes with MODEL"),
        (["--runtime", "lce"], "--runtime goes with MODEL"),
        (["x.tflite", "--on", "ssh://-x"], "a host must begin with a letter or digit"),
    ],
)
def test_doctor_refuses_options_that_cannot_be_or_do_nothing(
    words: list[str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        CliRunner().invoke(app, ["doctor", *words], catch_exceptions=False)


def test_doctor_command(tmp_path: Path) -> None:
    path = write_float(small_classifier(), tmp_path / "float32.tflite")
    command = [sys.executable, "-m", "irnet_cli", "doctor", path, "--runs", "5", "--json", "-"]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    value = json.loads(answer.stdout)
    assert (value["schema_id"], value["model"]) == ("irnet.doctor/1", "float32.tflite")
    assert "no operator is 1-bit" in [f["cause"] for f in value["findings"]]
    assert str(tmp_path) not in answer.stdout
    answer = subprocess.run([*command[:4], "--threads", "32"], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert "more threads than cores" in answer.stdout
