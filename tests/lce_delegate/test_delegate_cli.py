"""``python -m lce_delegate``: results on stdout, one line and a status for errors."""

import hashlib
import json
import os
import signal
import subprocess
import sys

import flatbuffers
import lce_delegate
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from lce_delegate import _bench, _command_line, _files, _interpreter
from model_files import small_classifier, write_float

# what LiteRT prints when it allocates
XNNPACK = "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"


@pytest.fixture(scope="module")
def float_path(tmp_path_factory):
    """A network without Larq operators."""
    return write_float(small_classifier(), tmp_path_factory.mktemp("float") / "float.tflite")


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
    values = json.loads(result("info", "--json", "-"))
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


def test_predict_runs_each_of_many_inputs(model_path, rng, tmp_path):
    images = rng.standard_normal((5, 32, 32, 3)).astype(np.float32)
    np.save(tmp_path / "in.npy", images)
    files = ["--input", tmp_path / "in.npy", "--output", tmp_path / "out.npy"]
    values = json.loads(result("predict", model_path, *files, "--json", "-"))
    assert values["count"] == 5
    interpreter = lce_delegate.Interpreter(model_path, num_threads=1)
    for image, found in zip(images, np.load(tmp_path / "out.npy"), strict=True):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
        interpreter.invoke()
        expected = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [
        ((2, 32, 32, 4), np.float32, "must be float32 of shape ('n', 32, 32, 3), got float32"),
        ((32, 32, 3), np.float32, "must be float32 of shape ('n', 32, 32, 3), got float32"),
        ((2, 32, 32, 3), np.float64, "must be float32 of shape ('n', 32, 32, 3), got float64"),
        ((0, 32, 32, 3), np.float32, "is empty"),
    ],
)
def test_predict_refuses_other_inputs(model_path, tmp_path, capsys, shape, dtype, message):
    np.save(tmp_path / "in.npy", np.zeros(shape, dtype))
    files = ["--input", str(tmp_path / "in.npy"), "--output", str(tmp_path / "out.npy")]
    assert _command_line.main(["predict", str(model_path), *files]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out.npy").exists()


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
        ("", "the following arguments are required: COMMAND"),
        ("dance", "COMMAND: invalid choice: 'dance'"),
        ("run", "the following arguments are required: MODEL"),
        ("bench {model} --whatever", "unrecognized arguments: --whatever"),
        ("info --json", "--json: expected one argument"),
        ("run --json {model}", "the following arguments are required: MODEL"),
        ("run {tmp}/missing.tflite", "cannot read {tmp}/missing.tflite: No such file"),
        ("run {tmp}", "cannot read {tmp}: not a regular file"),
        ("run {tmp}/text", "{tmp}/text: not a .tflite file"),
        ("bench {tmp}/text", "{tmp}/text: not a .tflite file"),
        ("run {model} --threads 0", "--threads: must be an integer from 1 to 32, got '0'"),
        ("run {model} --threads x", "--threads: must be an integer from 1 to 32, got 'x'"),
        ("bench {model} --threads 33", "--threads: must be an integer from 1 to 32, got '33'"),
        ("run {model} --kernel nope", "unknown kernel set 'nope', accepted: auto"),
        ("run {model} --kernel a-b", "kernel must be one of auto, "),
        ("bench {float} --kernel scalar", "{float}: no Larq operators in this file"),
        ("run {model} --exactness lose", "--exactness: invalid choice: 'lose' (choose from"),
        ("run {model} --seed -1", "--seed: must be an integer of at least 0, got '-1'"),
        ("bench {model} --runs 0", "--runs: must be an integer of at least 1, got '0'"),
        ("bench {model} --warmup -1", "--warmup: must be an integer of at least 0, got '-1'"),
        ("bench {model} --seed -1", "--seed: must be an integer of at least 0, got '-1'"),
        ("bench {own} --json {own}", "--json {own} would overwrite MODEL {own}"),
        ("run {own} --json {tmp}/link", "--json {tmp}/link would overwrite MODEL {own}"),
        ("run {own} --output {own}", "--output {own} would overwrite MODEL {own}"),
        (
            "run {model} --input {tmp}/small.npy --output {tmp}/../{name}/small.npy",
            "--output {tmp}/../{name}/small.npy would overwrite --input {tmp}/small.npy",
        ),
        ("run {model} --json {tmp}/x --output {tmp}/x", "--output {tmp}/x would overwrite --json"),
        ("run {model} --output {tmp}/x --output {tmp}/x", "{tmp}/x would overwrite --output"),
        ("bench {model} --json {tmp}/no/x", "--json {tmp}/no/x: there is no folder {tmp}/no"),
        ("bench {model} --json {tmp}", "--json must be a file, got '{tmp}'"),
        ("run {model} --output {tmp}/no/x", "--output {tmp}/no/x: there is no folder {tmp}/no"),
        ("run {model} --output a --output b", "--output must be given once per output: 1, got 2"),
        ("run {model} --input a --input b", "--input must be given once per input: 1, got 2"),
        ("run {model} --input {tmp}/missing", "cannot read {tmp}/missing: No such file"),
        ("run {model} --input {tmp}/text", "{tmp}/text: not a .npy file of numbers"),
        ("run {model} --input {tmp}/object.npy", "object.npy: not a .npy file of numbers"),
        ("run {model} --input {tmp}/huge.npy", "huge.npy: truncated or damaged .npy file"),
        ("run {model} --input {tmp}/short.npy", "short.npy: truncated or damaged .npy file"),
        ("run {model} --input {tmp}/words.npy", "words.npy: not a .npy file of numbers: it holds"),
        ("run {model} --input {tmp}/pipe", "cannot read {tmp}/pipe: not a regular file"),
        ("run {model} --input {tmp}/several.npz", "several.npz: not a .npy file but an archive"),
        ("run {model} --input {tmp}/small.npy", "must be float32 of shape (1, 32, 32, 3) for"),
    ],
)
def test_bad_input_is_one_line_and_status_2(model_path, float_path, tmp_path, arguments, message):
    (tmp_path / "text").write_text("hello, this is text")
    np.save(tmp_path / "object.npy", np.array([{}], object), allow_pickle=True)
    np.save(tmp_path / "small.npy", np.zeros((1, 2), np.float32))
    np.savez(tmp_path / "several.npz", a=np.zeros(1), b=np.zeros(1))
    with open(tmp_path / "huge.npy", "wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (10**9, 10**9)}
        np.lib.format.write_array_header_1_0(file, header)
    np.save(tmp_path / "words.npy", np.array(["one", "two"]))
    (tmp_path / "short.npy").write_bytes((tmp_path / "small.npy").read_bytes()[:-2])
    os.mkfifo(tmp_path / "pipe")
    own = tmp_path / "own.tflite"
    own.write_bytes(model_path.read_bytes())
    (tmp_path / "link").symlink_to(own)
    names = {"tmp": tmp_path, "name": tmp_path.name, "own": own} | {
        "model": model_path,
        "float": float_path,
    }
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    done = cli(*arguments.format(**names).split())
    assert done.returncode == 2
    assert message.format(**names) in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert done.stderr.removeprefix(XNNPACK).count("\n") == 1
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def altered(path, change):
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    change(model)
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def unheard(model):
    for code in model.operatorCodes:
        if code.customCode == b"LceQuantize":
            code.customCode = b"Unheard"


def without_channels(model):
    for operator in model.subgraphs[0].operators:
        if operator.customOptions is not None:
            text = bytes(operator.customOptions).replace(b"channels_in", b"channels_on")
            operator.customOptions = list(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (unheard, "Encountered unresolved custom op: Unheard; See "),
        (without_channels, "option channels_in is missing; Node number "),
    ],
)
def test_a_model_that_the_runtime_refuses_is_one_line_and_status_2(
    model_path, tmp_path, change, message
):
    (tmp_path / "bad.tflite").write_bytes(altered(model_path, change))
    done = cli("run", tmp_path / "bad.tflite")
    assert done.returncode == 2
    (line,) = done.stderr.removeprefix(XNNPACK).splitlines()
    assert line.startswith(f"error: {tmp_path}/bad.tflite: the runtime refuses the model: ")
    assert message in line


def test_a_run_that_fails_is_status_2(model_path, monkeypatch, capsys):
    def invoke(self):
        raise RuntimeError("it broke.Node number 3 (ADD) failed to invoke.")

    monkeypatch.setattr(_interpreter.Interpreter, "invoke", invoke, raising=False)
    assert _command_line.main(["run", str(model_path)]) == 2
    assert capsys.readouterr().err.endswith(
        "error: the run failed: it broke; Node number 3 (ADD) failed to invoke\n"
    )


def test_the_bytes_that_ran_are_those_that_are_named(model_path, tmp_path, monkeypatch):
    path = tmp_path / "gone.tflite"
    path.write_bytes(model_path.read_bytes())
    samples = _bench._samples

    def removed(*arguments):
        path.unlink(missing_ok=True)
        return samples(*arguments)

    monkeypatch.setattr(_bench, "_samples", removed)
    values = _bench.bench(path, num_runs=1, warmup_runs=0, profiled=True)
    assert values["sha256"] == hashlib.sha256(model_path.read_bytes()).hexdigest()
    assert len(values["profile"]) > 1


def test_a_file_without_larq_operators_names_no_kernels(float_path):
    assert "no Larq operators in this file" in result("bench", float_path, "--runs", 1)
    for command in ("run", "bench"):
        assert json.loads(result(command, float_path, "--json", "-"))["kernel"] is None


def test_speed_is_of_the_minimum_and_shares_of_the_means():
    row = {"node": 1, "op": "LceBconv2d", "kernel": "lce_bconv_f32_1x32_scalar", "fused": []}
    row |= {"output_shape": [1], "binary_macs": 8000, "calls": 2}
    table = _bench.profile_table([row | {"total_ns": 10_000, "min_ns": 1000}], 0.01)
    assert (table[0]["gmac_per_s"], table[0]["share"]) == (8, 0.5)
    assert (table[0]["mean_ms"], table[0]["min_ms"]) == (0.005, 0.001)
    assert table[1]["share"] == 0.5


@pytest.mark.parametrize(("total_ns", "marked"), [(10_000, True), (3000, False)])
def test_disturbed_means_are_marked(capsys, total_ns, marked):
    row = {"node": 1, "op": "ADD", "kernel": "k", "fused": [], "output_shape": [1]}
    row |= {"binary_macs": 0, "calls": 2, "total_ns": total_ns, "min_ns": 1000}
    _command_line._print_profile(_bench.profile_table([row], 0.01))
    text = capsys.readouterr().out
    assert ("*: mean above 2 times the minimum" in text) == marked
    assert (f"{5e-7 * total_ns:.4f}*" in text) == marked


@pytest.mark.parametrize(
    ("forced", "line"),
    [
        ("scalar", "kernels      scalar   selected by LCE_FORCE_KERNEL\n"),
        ("auto", " selected\n"),
        ("foo", "LCE_FORCE_KERNEL=foo is not a kernel set of this machine: run and bench will"),
    ],
)
def test_info_says_what_a_forced_kernel_set_means(forced, line):
    environment = {**os.environ, "LCE_FORCE_KERNEL": forced}
    done = cli("info", env=environment)
    assert done.returncode == 0
    assert line in done.stdout
    assert "overrides" not in done.stdout
    values = json.loads(cli("info", "--json", "-", env=environment).stdout)
    assert values["forced_kernel"] == forced


def shell(command, *, unbuffered=False, **options):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    if unbuffered:
        environment["PYTHONUNBUFFERED"] = "1"
    return subprocess.run(
        ["bash", "-c", command.replace("lce_delegate", f"'{sys.executable}' -m lce_delegate")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
    )


@pytest.mark.parametrize("unbuffered", [True, False])
@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("lce_delegate info > /dev/full", "No space left on device"),
        ("lce_delegate info --help > /dev/full", "No space left on device"),
        ("lce_delegate --version > /dev/full", "No space left on device"),
        ("lce_delegate bench '{model}' --runs 1 --json - > /dev/full", "No space left on device"),
        ("lce_delegate info >&-", "it is closed"),
    ],
)
def test_an_unwritable_stdout_is_one_line_and_status_2(model_path, command, reason, unbuffered):
    done = shell(command.format(model=model_path), unbuffered=unbuffered)
    assert done.returncode == 2
    line = f"error: cannot write to stdout: {reason}\n"
    assert done.stderr.removeprefix(XNNPACK) == line


def test_an_interrupt_is_one_line_and_status_130(model_path):
    words = [sys.executable, "-m", "lce_delegate", "bench", str(model_path), "--runs", "1000000"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stderr.readline() == XNNPACK  # it has begun
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout, stderr) == (130, "", "error: interrupted\n")


def test_an_interrupt_before_the_imports_are_done_is_one_line_and_status_130():
    code = (
        "import sys\n"
        "class Stop:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'numpy':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Stop())\n"
        "sys.argv = ['-m', 'info']\n"
        "import runpy\n"
        "runpy.run_module('lce_delegate', run_name='__main__', alter_sys=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "error: interrupted\n")


def test_json_follows_links_and_leaves_pipes(tmp_path):
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    result("info", "--json", tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text())["version"]
    os.mkfifo(tmp_path / "pipe")
    end = os.open(tmp_path / "pipe", os.O_RDWR)  # so that neither side waits
    result("info", "--json", tmp_path / "pipe")
    assert (tmp_path / "pipe").is_fifo()
    assert os.read(end, 1) == b"{"
    os.close(end)


def test_a_folder_that_cannot_be_written_is_found_first(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(lce_delegate.UsageError, match=r"--json .*: folder .* is not writable"):
        _files.check_outputs([("--json", str(tmp_path / "x"))], [])


def test_the_other_byte_order_is_read(model_path, image, tmp_path):
    np.save(tmp_path / "little.npy", image)
    np.save(tmp_path / "big.npy", image.astype(">f4"))
    big, little = (
        json.loads(result("run", model_path, "--input", tmp_path / name, "--json", "-"))["outputs"]
        for name in ("big.npy", "little.npy")
    )
    assert big == little


def test_a_closed_pipe_is_no_traceback():
    done = subprocess.run(
        ["bash", "-c", f"'{sys.executable}' -m lce_delegate info --json - | head -c 1"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "{"
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
