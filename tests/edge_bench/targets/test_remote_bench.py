"""Whole benchmarks on targets, and everything that can go wrong in one."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_bench.remote import Plan, bench_on
from edge_bench.remote_accuracy import Labelled
from edge_bench.remote_calls import Logs
from edge_bench.remote_tools import UNTOLD, ToolFiles
from edge_bench.schema import BenchResult
from edge_bench.targets import TargetError, connect, parse_address
from edge_bench.tools import ToolOptions
from irnet_cli.app import app
from irnet_keras.errors import CheckFailed, UsageError
from irnet_keras.files import sha256_file
from tests.edge_bench.targets.board import Board, Proxy
from tests.edge_bench.targets.conftest import install_python, script
from tests.edge_bench.targets.phone import Phone

GOOD = 24 * "[0-9a-f]" + ".log"
SEEDS = Path(__file__).resolve().parents[2] / "fuzz" / "seeds"
LOGS = Path(__file__).resolve().parents[1] / "logs"
BINARY, FLOAT, INT8 = (
    SEEDS / f"{name}.tflite" for name in ("bconv-one", "mobile-float32", "mobile-int8")
)
QUICK = ToolOptions(num_runs=30, warmup_runs=1, min_secs=0.1, max_secs=0.5)


@pytest.fixture(scope="module", autouse=True)
def _python(board: Board, library: Path) -> Iterator[None]:
    install_python(board.bin, library)
    yield
    (board.bin / "python3").unlink()


@pytest.fixture
def on_board(at_home: Board) -> str:
    return f"ssh://127.0.0.1:{at_home.port}"


def measure(
    on: str | list[str], folder: Path, *files: Path, resume: bool = False, **plan: Any
) -> BenchResult:
    texts = [on] if isinstance(on, str) else on
    made = Plan(files, **{"options": QUICK, "rounds": 1, **plan})
    return bench_on([parse_address(t) for t in texts], made, Logs(folder, resume=resume))


def calls(board: Board) -> list[str]:
    """Benchmarks that were started on the board."""
    path = board.bin / "calls"
    return path.read_text().splitlines() if path.exists() else []


def keys(value: Any) -> Any:
    """The keys of a JSON value, without the numbers."""
    if isinstance(value, dict):
        return {k: keys(v) for k, v in value.items() if k != "versions"}
    return [keys(value[0])] if isinstance(value, list) and value else None


def strings(value: Any) -> Iterator[str]:
    """All texts in a JSON value."""
    if isinstance(value, dict):
        yield from (t for pair in value.items() for part in pair for t in strings(part))
    elif isinstance(value, list):
        yield from (t for part in value for t in strings(part))
    elif isinstance(value, str):
        yield value


def test_all_kinds_of_target_give_one_schema_and_no_secrets(
    on_board: str,
    at_home: Board,
    phone: Phone,
    library: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install_python(phone.root / "bin", library)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    where = ["local", on_board.replace("ssh://", "ssh://root@"), f"adb:127.0.0.1:{phone.port}"]
    monkeypatch.setattr(
        sys, "argv", ["/x/bin/irnet", "bench", str(BINARY), *(f"--on={w}" for w in where)]
    )
    result = measure(
        where, tmp_path / "logs", BINARY, tool="lce_delegate",
        options=ToolOptions(num_runs=30, enable_op_profiling=True),
    )  # fmt: skip
    value = result.model_dump(mode="json")
    assert [d.kind for d in result.devices] == ["local", "ssh", "adb"]
    for each in ("devices", "builds"):
        first = keys(value[each][0])
        assert all(keys(other) == first for other in value[each])
    for build in result.builds:
        assert build.sha256 == sha256_file(BINARY)
        assert len(build.samples_ms) == 30
        assert build.kernel is not None
        assert build.profile[-1].op == "other operators (runtime)"
    secrets = [str(tmp_path), str(at_home.home.parent), str(Path(sys.prefix)), "root@"]
    secrets += [str(phone.port), str(SEEDS.parent)]
    secrets += (at_home.home / ".ssh" / "id_ed25519.pub").read_text().split()[1:]
    found = [t for t in strings(value) if any(s in t for s in secrets) or t.startswith("/")]
    assert found == []
    assert (at_home.leftovers(), phone.leftovers()) == ([], [])


def test_accuracy_on_the_target(on_board: str, tmp_path: Path, rng: np.random.Generator) -> None:
    inputs = rng.standard_normal((40, 6, 6, 4)).astype(np.float32)
    labels = rng.integers(0, 3, 40)
    first, second = measure(on_board, tmp_path, FLOAT, INT8, data=Labelled(inputs, labels)).builds
    from converters.runtimes import TFLiteProcess

    for build, path in ((first, FLOAT), (second, INT8)):
        with TFLiteProcess(path) as process:
            here = np.argmax(process.run(inputs), -1)
        assert build.accuracy == np.mean(here == labels)
        assert (build.host_agreement, build.num_examples) == (1.0, 40)
    assert second.ratio is not None
    assert second.ratio.value == second.median_ms / first.median_ms


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("crash", r"lce_delegate crashed \(signal 11\).*log: .*-failed\.log"),
        ("garbage", r"the output is not the JSON of lce_delegate bench.*raw log: .*-failed\.log"),
        ("partial", r"the output is not the JSON of lce_delegate bench.*raw log: .*-failed\.log"),
        ("flood", r"more than 4,194,304 bytes of output, stopped \(python3 -m lce_delegate\)"),
        ("hang", r"python3 -m lce_delegate did not end within 1\.5 s, stopped"),
    ],
)
def test_a_tool_that_fails(
    on_board: str, at_home: Board, tmp_path: Path, fault: str, message: str
) -> None:
    (at_home.bin / "fault").write_text(f"{fault} 0\n")
    with pytest.raises(CheckFailed, match=message) as caught:
        measure(on_board, tmp_path, BINARY, start_s=0.5)
    assert on_board in str(caught.value)
    assert list(tmp_path.glob(GOOD)) == []
    log = list(tmp_path.glob("*-failed.log"))
    assert len(log) == (fault in ("crash", "garbage", "partial"))
    assert all(str(path) in str(caught.value) for path in log)
    assert at_home.leftovers() == []


def test_connection_cut_in_mid_run_and_resumed(
    proxy: Proxy, at_home: Board, tmp_path: Path
) -> None:
    on = f"ssh://127.0.0.1:{proxy.port}"
    (at_home.bin / "fault").write_text("hang 3\n")

    def cut_when_it_hangs() -> None:
        while not (at_home.bin / "hangs").exists():
            time.sleep(0.02)
        proxy.cut()

    thread = threading.Thread(target=cut_when_it_hangs)
    thread.start()
    with pytest.raises(TargetError, match=rf"^{on}: the connection was lost"):
        measure(on, tmp_path, FLOAT, INT8, rounds=2)
    thread.join()
    assert at_home.leftovers() == []
    assert len(calls(at_home)) == 4
    kept = {path.name: path.read_bytes() for path in tmp_path.glob(GOOD)}
    assert len(kept) == 3

    (at_home.bin / "fault").unlink()
    result = measure(on, tmp_path, FLOAT, INT8, rounds=2, resume=True)
    assert len(calls(at_home)) == 5
    assert [len(b.samples_ms) for b in result.builds] == [30, 30]
    assert result.devices[0].warnings[0] == ("3 of the calls are of an earlier, interrupted run")
    logs = {path.name: path.read_bytes() for path in tmp_path.glob("*.log")}
    assert kept.items() <= logs.items()
    assert len(logs) == 4
    # Without --resume all is measured anew.
    measure(on, tmp_path, FLOAT, rounds=1)
    assert len(calls(at_home)) == 6
    assert len(list(tmp_path.glob("*.log"))) == 1


def test_phone_unplugged_in_mid_run(phone: Phone, library: Path, tmp_path: Path) -> None:
    bin_folder = phone.root / "bin"
    install_python(bin_folder, library)
    (bin_folder / "fault").write_text("hang 0\n")

    def unplug_when_it_hangs() -> None:
        while not (bin_folder / "hangs").exists():
            time.sleep(0.02)
        phone.cut()

    thread = threading.Thread(target=unplug_when_it_hangs)
    thread.start()
    with pytest.raises(TargetError, match=r"^adb: the connection was lost"):
        measure("adb", tmp_path, BINARY)
    thread.join()
    assert list(tmp_path.glob("*.log")) == []
    assert phone.leftovers() == []


def test_other_targets_are_measured_when_one_fails(
    on_board: str, at_home: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    nowhere = "ssh://127.0.0.1:1"
    with pytest.raises(TargetError, match=r"^ssh://127\.0\.0\.1:1: cannot connect"):
        measure([nowhere, on_board], tmp_path / "logs", BINARY)
    assert len(list((tmp_path / "logs").glob("*.log"))) == 1
    assert len(calls(at_home)) == 1
    measure(on_board, tmp_path / "logs", BINARY, resume=True)
    assert len(calls(at_home)) == 1


def test_two_benchmarks_at_once(on_board: str, at_home: Board, tmp_path: Path) -> None:
    with (
        connect(parse_address(on_board)) as first,
        pytest.raises(TargetError, match="another run of irnet is using it"),
    ):
        measure(on_board, tmp_path, BINARY)
    assert calls(at_home) == []
    assert not Path(first.folder).exists()


def test_wrong_architecture(on_board: str, at_home: Board, tmp_path: Path) -> None:
    script(at_home.bin / "uname", '[ "$*" = -m ] && echo aarch64 || exec /bin/uname "$@"\n')
    program = Path(shutil.which("true") or "/bin/true").resolve()
    shutil.copy(program, at_home.bin / "benchmark_model")
    try:
        with pytest.raises(CheckFailed, match=r"is for x86_64, the target runs aarch64"):
            measure(on_board, tmp_path, BINARY, tool_files=ToolFiles(binary=program))
        with pytest.raises(CheckFailed, match=r"benchmark_model is for x86_64, the target"):
            measure(on_board, tmp_path, BINARY, tool="benchmark_model")
        with pytest.raises(UsageError, match=r"bconv-one\.tflite is not a Linux program"):
            measure(on_board, tmp_path, BINARY, tool_files=ToolFiles(binary=BINARY))
    finally:
        (at_home.bin / "uname").unlink()
        (at_home.bin / "benchmark_model").unlink()
    assert at_home.leftovers() == []


def print_log(path: Path, name: str, stream: int = 1) -> None:
    """A script that prints a benchmark_model's log of FLOAT, and notes that it did."""
    size = f"(MB): {FLOAT.stat().st_size / 1e6:g}"
    text = (LOGS / name).read_text().replace("(MB): 0.064652", size)
    note = f"echo {path.name} >>'{path.parent}/calls'"
    script(path, f"{note}\ncat >&{stream} <<'END'\n{text}\nEND\necho \"$*\" >&2\n")


@pytest.mark.parametrize("stream", [1, 2])
def test_a_program_that_prints_statistics(
    on_board: str, at_home: Board, tmp_path: Path, stream: int
) -> None:
    """The log of a benchmark_model, from a script in its place."""
    print_log(at_home.bin / "benchmark_model", "tf_2_18.txt", stream)
    try:
        result = measure(on_board, tmp_path, FLOAT, tool="benchmark_model", rounds=5)
        with pytest.raises(UsageError, match="no lce_benchmark_model in its PATH, home"):
            measure(on_board, tmp_path, FLOAT, tool="lce_benchmark_model")
    finally:
        (at_home.bin / "benchmark_model").unlink()
    (build,) = result.builds
    assert (build.sample, len(build.samples_ms), len(build.calls)) == ("call", 5, 5)
    assert build.mean_ms == pytest.approx(build.calls[0].mean_ms)
    assert build.tool.sha256 is not None
    assert build.tool.version is None
    assert result.devices[0].versions == {"benchmark_model": UNTOLD}
    assert build.tool.command[:2] == ["benchmark_model", f"--graph={FLOAT.name}"]
    assert build.peak_memory_bytes == 4.25 * 2**20
    assert build.warmup_runs == 451


def test_a_phone_without_python_has_a_program(phone: Phone, tmp_path: Path) -> None:
    """``auto`` takes what is there, also from the folder where LCE's guide puts it."""
    script(phone.root / "bin" / "python3", "exit 127\n")
    with pytest.raises(CheckFailed, match="`python -m lce_delegate` does not work there"):
        measure("adb", tmp_path / "logs", FLOAT)
    print_log(phone.root / "lce_benchmark_model", "tf_2_8_lce.txt")
    with pytest.raises(UsageError, match="--rounds must be at least 5 with lce_benchmark_model"):
        measure("adb", tmp_path / "logs", FLOAT)
    images = Labelled(np.zeros((1, 6, 6, 4), np.float32), np.zeros(1, np.int64))
    with pytest.raises(CheckFailed, match="`python -m lce_delegate` does not work there"):
        measure("adb", tmp_path / "logs", FLOAT, rounds=5, data=images)
    assert list((tmp_path / "logs").iterdir()) == []
    (build,) = measure("adb", tmp_path / "logs", FLOAT, rounds=5).builds
    assert (build.tool.name, build.kernel) == ("lce_benchmark_model", "default")


def test_a_call_is_resumed_only_as_it_was_asked_for(
    on_board: str, at_home: Board, tmp_path: Path
) -> None:
    print_log(at_home.bin / "lce_benchmark_model", "tf_2_8_lce.txt")
    asked = {"tool": "lce_benchmark_model", "resume": True, "rounds": 5}
    try:
        for files, number in (
            (ToolFiles(use_reference_bconv=True), 5),
            (ToolFiles(), 10),
            (ToolFiles(), 10),
            (ToolFiles(use_reference_bconv=True), 10),
        ):
            (build,) = measure(on_board, tmp_path, FLOAT, tool_files=files, **asked).builds
            assert build.kernel == ("reference" if files.use_reference_bconv else "default")
            assert len(calls(at_home)) == number
        print_log(at_home.bin / "lce_benchmark_model", "tf_2_3.txt")  # another build of it
        measure(on_board, tmp_path, FLOAT, **asked)
        assert len(calls(at_home)) == 15
    finally:
        (at_home.bin / "lce_benchmark_model").unlink()


def test_this_machines_part_is_kept_when_a_board_fails(at_home: Board, tmp_path: Path) -> None:
    out = tmp_path / "r.json"
    quick = ["--num-runs", "30", "--warmup-runs", "0", "--rounds", "1"]
    command = ["bench", str(FLOAT), *quick, "--on", "local", "--json", str(out), "--on"]
    for board, error in (("ssh://127.0.0.1:1", TargetError), ("ssh://127.0.0.1:2", TargetError)):
        with pytest.raises(error, match="cannot connect"):
            app([*command, board, "--resume"], standalone_mode=False)
    (kept,) = (tmp_path / "r.json.logs").iterdir()
    first = kept.read_bytes()
    on = f"ssh://127.0.0.1:{at_home.port}"
    app([*command, on, "--resume"], standalone_mode=False)
    value = json.loads(out.read_text())
    assert [d["kind"] for d in value["devices"]] == ["local", "ssh"]
    assert value["builds"][0]["samples_ms"] == json.loads(first)["builds"][0]["samples_ms"]
    assert kept.read_bytes() == first


def test_doctor_on_a_board_and_a_phone(
    on_board: str,
    at_home: Board,
    phone: Phone,
    library: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    install_python(phone.root / "bin", library)

    def doctor(*words: object) -> dict[str, Any]:
        app(["doctor", *map(str, words), "--json", "-"], standalone_mode=False)
        return json.loads(capsys.readouterr().out)

    found = doctor(BINARY, "--on", on_board, "--kernel", "scalar", "--runs", 5)
    assert found["device"]["name"] == "ssh://127.0.0.1"
    assert "(scalar)" in found["engine"]
    (slow,) = [f for f in found["findings"] if f["cause"] == "reference or scalar kernels"]
    assert slow["share_is"] == "measured"
    assert 0 < slow["share"] <= 1
    found = doctor(FLOAT, "--on", "adb", "--runs", 5)
    assert found["engine"] == "LiteRT 2.3.0, XNNPACK not reported"
    assert "no operator is 1-bit" in [f["cause"] for f in found["findings"]]
    found = doctor("--on", "adb", "--threads", 32)
    assert (found["model"], found["device"]["kind"]) == (None, "adb")
    assert "more threads than cores" in [f["cause"] for f in found["findings"]]
    (at_home.bin / "fault").write_text("crash 0\n")
    with pytest.raises(CheckFailed, match=r"crashed \(signal 11\).*log: ") as caught:
        doctor(BINARY, "--on", on_board)
    log = Path(str(caught.value).rpartition("log: ")[2])
    assert log.is_file()
    shutil.rmtree(log.parent)
    assert (at_home.leftovers(), phone.leftovers()) == ([], [])


def test_without_the_runtime(on_board: str, at_home: Board, tmp_path: Path) -> None:
    python = (at_home.bin / "python3").read_text()
    script(at_home.bin / "python3", f"exec '{sys.executable}' -I -S \"$@\"\n")
    try:
        with pytest.raises(CheckFailed, match=rf"No module named.*irnet device setup {on_board}"):
            measure(on_board, tmp_path, BINARY)
    finally:
        (at_home.bin / "python3").write_text(python)


def irnet(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "irnet_cli", *map(str, arguments)], capture_output=True, text=True
    )


def test_command(on_board: str, at_home: Board, tmp_path: Path) -> None:
    out = tmp_path / "results.json"
    quick = ["--num-runs", 30, "--warmup-runs", 0, "--rounds", 1]
    command = ["bench", BINARY, "--on", on_board, *quick, "--json", out]
    (at_home.bin / "fault").write_text("crash 0\n")
    failed = irnet(*command)
    assert failed.returncode == 1, failed.stderr
    assert failed.stderr.splitlines()[-1].startswith(f"irnet: error: {on_board}: lce_delegate cr")
    assert "Traceback" not in failed.stderr
    assert not out.exists()

    (at_home.bin / "fault").unlink()
    done = irnet(*command, "--resume")
    assert done.returncode == 0, done.stderr
    value = json.loads(out.read_text())
    assert value["builds"][0]["device"] == "ssh://127.0.0.1"
    assert sorted(p.suffix for p in (tmp_path / "results.json.logs").iterdir()) == [".log"]
    assert at_home.leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_ended_command_leaves_nothing_on_the_board(
    on_board: str, at_home: Board, tmp_path: Path, number: signal.Signals
) -> None:
    (at_home.bin / "fault").write_text("hang 0\n")
    command = [sys.executable, "-m", "irnet_cli", "bench", str(BINARY), "--on", on_board]
    process = subprocess.Popen(
        [*command, "--logs", str(tmp_path)], stderr=subprocess.PIPE, text=True
    )
    while not (at_home.bin / "hangs").exists():
        assert process.poll() is None
        time.sleep(0.02)
    assert len(list(at_home.temporary.glob("irnet-*"))) == 1
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    if number is signal.SIGINT:
        assert (process.returncode, stderr.splitlines()[-1]) == (130, "irnet: interrupted")
    assert at_home.leftovers() == []
    (at_home.bin / "fault").unlink()
    measure(on_board, tmp_path, BINARY)  # the lock is free, too


def test_device_commands(on_board: str, phone: Phone, capsys: pytest.CaptureFixture[str]) -> None:
    app(["device", "info", on_board, "--json", "-"], standalone_mode=False)
    value = json.loads(capsys.readouterr().out)
    assert value["target"] == "ssh://127.0.0.1"
    assert value["missing"] == []
    assert "scalar" in value["runtime"]["kernels"]
    app(["device", "info", "adb"], standalone_mode=False)
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert (lines["target"], lines["OS"]) == ("adb", "bits      64")
    with pytest.raises(UsageError, match="phones have no Python to set up"):
        app(["device", "setup", "adb"], standalone_mode=False)
    with pytest.raises(UsageError, match="--wheels must be a folder"):
        app(["device", "setup", on_board, "--wheels", "/nowhere"], standalone_mode=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--on", "ssh://-oProxyCommand=id"], "a host must begin with a letter or digit"),
        (["--on", "adb:$(id)"], "a serial must begin with a letter or digit"),
        (["--on", "local", "--on", "local"], "targets must be different ones"),
        (["--on", "ssh://x", "--resume"], "--resume needs --json FILE or --logs DIR"),
        (["--resume"], "--resume goes with a tool"),
        (["--tool-path", "x"], "--tool-path goes with a tool"),
        (["--on", "ssh://x", "--runtime", "lce"], "--runtime goes with --on local"),
        (["--data", "x"], "--data must be one of these data sets"),
        (["--tool", "x"], "--tool must be one of auto, lce_benchmark_model"),
        (["--on", "ssh://x", "--max-secs", "0"], "--max-secs must be above 0"),
    ],
)
def test_bad_options(options: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        app(["bench", str(BINARY), *options], standalone_mode=False)
