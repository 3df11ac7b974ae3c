"""``python -m lce_delegate``: results on stdout, one line and a status for errors."""

import json
import os
import subprocess
import sys

import flatbuffers
import lce_delegate
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema


def cli(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "lce_delegate", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


def result(*arguments):
    done = cli(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_info_is_for_people_and_for_programs():
    text = result("info")
    assert "LiteRT" in text
    assert " selected\n" in text
    values = json.loads(result("info", "--json"))
    assert values["library"] == lce_delegate.library_path()
    assert values["runtime"]["name"] == "LiteRT"
    assert values["kernel_sets"] == lce_delegate.info()["kernel_sets"]


def test_run_reads_and_writes_arrays(model_path, image, tmp_path):
    np.save(tmp_path / "in.npy", image)
    files = ["--input", tmp_path / "in.npy", "--output", tmp_path / "out.npy"]
    values = json.loads(result("run", model_path, *files, "--json", "-"))
    output = np.load(tmp_path / "out.npy")
    interpreter = lce_delegate.Interpreter(model_path, num_threads=1)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    expected = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_array_equal(output, expected)
    (described,) = values["outputs"]
    assert described["shape"] == [1, 10]
    assert described["top"][0] == {
        "index": [0, int(output.argmax())],
        "value": pytest.approx(float(output.max())),
    }


def test_the_seed_makes_the_random_input(model_path):
    same = [result("run", model_path, "--seed", 3) for _ in range(2)]
    assert same[0] == same[1]
    assert same[0] != result("run", model_path, "--seed", 4)
    assert "float32 1x10, largest values" in same[0]


def test_bench_states_what_ran_and_where_the_time_went(model_path, tmp_path):
    file = tmp_path / "bench.json"
    text = result(
        "bench", model_path, "--runs", 5, "--warmup", 1, "--kernel", "scalar", "--profile",
        "--json", file,
    )  # fmt: skip
    values = json.loads(file.read_text())
    assert "lce_delegate kernels: scalar, threads: 1" in text
    assert values["kernel"] == "scalar"
    assert values["runtime"]["version"] in text
    assert len(values["samples_ms"]) == values["runs"] == 5
    assert values["min_ms"] <= values["median_ms"] <= values["p90_ms"]
    rows = values["profile"]
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    assert rows[-1]["op"] == "other operators (runtime)"
    for row in rows:
        assert (row["gmac_per_s"] is not None) == (row["op"] == "LceBconv2d")
    assert json.loads(result("bench", model_path, "--runs", 1, "--json", "-"))["profile"] is None


def test_bench_names_the_kernel_set_that_the_environment_forces(model_path):
    environment = {**os.environ, "LCE_FORCE_KERNEL": "scalar"}
    done = cli("bench", model_path, "--runs", 1, env=environment)
    assert "kernels: scalar" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "COMMAND"),
        ("dance", "invalid choice: 'dance'"),
        ("run", "MODEL"),
        ("run {tmp}/missing.tflite", "cannot read {tmp}/missing.tflite: No such file"),
        ("run {tmp}", "cannot read {tmp}: not a regular file"),
        ("run {tmp}/text", "{tmp}/text: not a .tflite file"),
        ("bench {tmp}/text", "{tmp}/text: not a .tflite file"),
        ("run {model} --threads 0", "num_threads must be an integer from 1 to 32 or None, got 0"),
        ("run {model} --threads x", "argument --threads: invalid int value: 'x'"),
        ("run {model} --kernel nope", "unknown kernel set 'nope', accepted: auto"),
        ("run {model} --exactness lose", "choose from"),
        ("run {model} --seed -1", "seed must be at least 0, got -1"),
        ("bench {model} --runs 0", "runs must be at least 1, got 0"),
        ("bench {model} --warmup -1", "warmup must be at least 0, got -1"),
        ("bench {model} --seed -1", "seed must be at least 0, got -1"),
        ("bench {model} --json {tmp}/no/x", "--json {tmp}/no/x: there is no folder {tmp}/no"),
        ("bench {model} --json {tmp}", "--json must be a file, got '{tmp}'"),
        ("run {model} --output {tmp}/no/x", "--output {tmp}/no/x: there is no folder {tmp}/no"),
        ("run {model} --output a --output b", "--output must be given once per output: 1, got 2"),
        ("run {model} --input a --input b", "--input must be given once per input: 1, got 2"),
        ("run {model} --input {tmp}/missing", "cannot read {tmp}/missing: No such file"),
        ("run {model} --input {tmp}/text", "{tmp}/text: not a .npy file of numbers"),
        ("run {model} --input {tmp}/object.npy", "object.npy: not a .npy file of numbers"),
        ("run {model} --input {tmp}/huge.npy", "huge.npy: not a .npy file of numbers"),
        ("run {model} --input {tmp}/several.npz", "several.npz: not a .npy file but an archive"),
        ("run {model} --input {tmp}/small.npy", "must be float32 of shape (1, 32, 32, 3) for"),
    ],
)
def test_bad_input_is_one_line_and_status_2(model_path, tmp_path, arguments, message):
    (tmp_path / "text").write_text("hello, this is text")
    np.save(tmp_path / "object.npy", np.array([{}], object), allow_pickle=True)
    np.save(tmp_path / "small.npy", np.zeros((1, 2), np.float32))
    np.savez(tmp_path / "several.npz", a=np.zeros(1), b=np.zeros(1))
    with open(tmp_path / "huge.npy", "wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (10**9, 10**9)}
        np.lib.format.write_array_header_1_0(file, header)
    names = {"tmp": str(tmp_path), "model": str(model_path)}
    before = sorted(tmp_path.iterdir())
    done = cli(*arguments.format(**names).split())
    assert done.returncode == 2
    assert message.format(**names) in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert sum("error" in line for line in done.stderr.splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before


def test_a_model_that_the_runtime_refuses_is_status_1(model_path, tmp_path):
    model = schema.ModelT.InitFromPackedBuf(model_path.read_bytes(), 0)
    for code in model.operatorCodes:
        if code.customCode == b"LceQuantize":
            code.customCode = b"Unheard"
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    (tmp_path / "unheard.tflite").write_bytes(builder.Output())
    done = cli("run", tmp_path / "unheard.tflite")
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "the runtime refused the model: " in lines[0]
    assert "Unheard" in lines[0]
    assert "Traceback" not in done.stderr


def test_a_closed_pipe_is_no_traceback():
    done = subprocess.run(
        ["bash", "-c", f"'{sys.executable}' -m lce_delegate info --json | head -c 1"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "{"
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
