"""Commands and files on this machine, a real sshd and a device of a real adb server."""

import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_bench.targets import Target, connect, parse_address, scripts
from edge_bench.targets.link import LateError, LostError, TargetError, TooMuchError
from irnet_keras.errors import UsageError
from tests.edge_bench.targets.board import Board, Proxy, make_keys, running_board
from tests.edge_bench.targets.phone import Phone

ODD = ["a b", "$(touch x)", "`id`", "'\"\\", "-n", "*", ";id", "", "ä\n\t"]


@pytest.fixture(params=["local", "ssh", "adb"])
def target(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Target]:
    """An opened target of each kind; its folder must be gone afterwards."""
    if request.param == "local":
        temporary, text = tmp_path / "local", "local"
        temporary.mkdir()
        monkeypatch.setenv("TMPDIR", str(temporary))
    elif request.param == "ssh":
        board: Board = request.getfixturevalue("at_home")
        temporary, text = board.temporary, f"ssh://127.0.0.1:{board.port}"
    else:
        phone: Phone = request.getfixturevalue("phone")
        temporary, text = phone.temporary, f"adb:127.0.0.1:{phone.port}"
    warnings: list[str] = []
    monkeypatch.setattr("edge_bench.targets.target.SILENCE_SECONDS", 4)
    with connect(parse_address(text), log=warnings.append) as made:
        assert Path(made.folder).parent == temporary
        yield made
    assert warnings == []
    assert list(temporary.glob("irnet-*")) == []


def test_arguments_arrive_as_they_are(target: Target) -> None:
    done = target.run(["printf", "%s|", *ODD], timeout_s=20)
    assert (done.status, done.stdout) == (0, "".join(f"{word}|" for word in ODD))
    assert target.run(["pwd"], timeout_s=20).stdout.strip() == target.folder
    failed = target.run(["sh", "-c", "echo out; echo err >&2; exit 7"], timeout_s=20)
    assert (failed.status, failed.stdout, failed.stderr) == (7, "out\n", "err\n")


def test_files_come_back_as_they_were(
    target: Target, tmp_path: Path, rng: np.random.Generator
) -> None:
    content = rng.bytes(700_001)
    path = tmp_path / "a b;$(id).tflite"
    path.write_bytes(content)
    remote = target.push(path)
    digest = hashlib.sha256(content).hexdigest()
    assert remote == f"{target.folder}/{digest}.tflite"
    target.pull(remote, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == content
    with pytest.raises(TargetError, match="more than 1,000 bytes"):
        target.pull(remote, tmp_path / "small", size_limit=1000)
    assert not (tmp_path / "small").exists()
    # of equal size, but another file
    path.write_bytes(content[::-1])
    other = target.push(path)
    assert other != remote
    assert target.run(["sha256sum", other], timeout_s=20).stdout.startswith(
        hashlib.sha256(content[::-1]).hexdigest()
    )
    target.remove(other)
    assert (
        target.run(["ls", target.folder], timeout_s=20).stdout.split().count(Path(other).name) == 0
    )


@pytest.mark.parametrize("remote", ["/etc/hostname", "x", "..", "{}/../x", "{}/", "{}/.."])
def test_only_the_runs_folder_is_touched(target: Target, tmp_path: Path, remote: str) -> None:
    with pytest.raises(UsageError, match="is not in the run's folder"):
        target.pull(remote.format(target.folder), tmp_path / "x")
    with pytest.raises(UsageError, match="is not in the run's folder"):
        target.remove(remote.format(target.folder))


def test_what_hangs_or_floods_is_stopped(target: Target) -> None:
    marker = str(10_000_000 + int(target.folder[-6:], 16))
    with pytest.raises(LateError, match=r"did not end within 0\.5 s"):
        target.run(["sleep", marker], timeout_s=0.5)
    with pytest.raises(TooMuchError, match=r"more than 5,000 bytes.*yes"):
        target.run(["yes", marker], timeout_s=30, output_limit=5000)
    script = 'for i in 1 2 3 4 5 6 7 8 9 10; do ps -eo args | grep -F "$1" | grep -v -e grep ' \
        '-e "sh -c" >/dev/null || exit 0; sleep 0.2; done; exit 1'  # fmt: skip
    target.shell(script, marker)


def test_a_second_run_is_refused_while_the_first_goes_on(target: Target) -> None:
    with (
        pytest.raises(TargetError, match="another run of irnet is using it"),
        connect(target.address),
    ):
        pass
    assert target.run(["true"], timeout_s=20).status == 0


def test_a_run_longer_than_the_silence_allowed_goes_on(target: Target) -> None:
    assert target.run(["sleep", "5"], timeout_s=30).status == 0
    assert target.run(["pwd"], timeout_s=20).stdout.strip() == target.folder


def test_what_an_earlier_run_left_is_removed(target: Target) -> None:
    """A board that lost its power, a holder that was killed."""
    base = Path(target.folder).parent
    left, other = base / "irnet-0123456789abcdef", base / "irnet-fedcba9876543210"
    for folder in (left, other):
        folder.mkdir()
    (left / "holder").write_text("1\n")
    with subprocess.Popen(["sleep", "100"], cwd=left) as process:
        (left / "0.pid").write_text(f"{process.pid}\n")
        target.__exit__(None, None, None)
        with connect(target.address):
            assert process.wait(timeout=10) == -15
            assert (left.exists(), other.exists()) == (False, True)
    other.rmdir()


def test_facts_and_conditions(target: Target) -> None:
    facts = target.facts()
    assert facts.system.startswith("Linux ")
    assert facts.os_bits == 64
    assert facts.cores is not None
    assert facts.cores >= 1
    assert facts.memory_bytes is not None
    assert facts.memory_bytes > 1 << 28
    load = target.conditions().load_average
    assert load is not None
    assert min(load) >= 0


def test_unknown_hosts_are_refused(at_home: Board) -> None:
    known = at_home.home / ".ssh" / "known_hosts"
    kept = known.read_text()
    address = parse_address(f"ssh://127.0.0.1:{at_home.port}")
    try:
        known.unlink()
        with pytest.raises(UsageError, match="its host key is not the one in"), connect(address):
            pass
        other = at_home.home / "other"
        make_keys(other)
        key = (other / ".ssh" / "id_ed25519.pub").read_text().split()
        known.write_text(f"[127.0.0.1]:{at_home.port} {key[0]} {key[1]}\n")
        with pytest.raises(UsageError, match="its host key is not the one in"), connect(address):
            pass
        # a configuration cannot switch the check off
        config = at_home.home / ".ssh" / "config"
        config.write_text("Host *\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n")
        with pytest.raises(UsageError, match="its host key is not the one in"), connect(address):
            pass
        config.unlink()
    finally:
        known.write_text(kept)
        shutil.rmtree(at_home.home / "other", ignore_errors=True)
    assert at_home.leftovers() == []


def test_other_keys_are_refused(
    at_home: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "stranger"
    make_keys(home)
    shutil.copy(at_home.home / ".ssh" / "known_hosts", home / ".ssh" / "known_hosts")
    monkeypatch.setenv("HOME", str(home))
    with (
        pytest.raises(UsageError, match=r"no key of the agent or ~/\.ssh is accepted"),
        connect(parse_address(f"ssh://127.0.0.1:{at_home.port}")),
    ):
        pass


def test_a_key_of_the_agent_is_enough(
    at_home: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = at_home.home / ".ssh" / "id_ed25519"
    home, agent = tmp_path / "home", tmp_path / "agent"
    (home / ".ssh").mkdir(parents=True)
    shutil.copy(at_home.home / ".ssh" / "known_hosts", home / ".ssh" / "known_hosts")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
    with subprocess.Popen(["ssh-agent", "-D", "-a", agent], stdout=subprocess.DEVNULL) as process:
        try:
            while not agent.exists():
                assert process.poll() is None
            subprocess.run(["ssh-add", "-q", key], check=True, stderr=subprocess.DEVNULL)
            with connect(parse_address(f"ssh://127.0.0.1:{at_home.port}")) as target:
                assert target.run(["true"], timeout_s=20).status == 0
        finally:
            process.terminate()


def test_a_locked_key_is_not_asked_for(
    at_home: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    shutil.copytree(at_home.home / ".ssh", home / ".ssh")
    key = home / ".ssh" / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret", "-f", key], check=True)
    monkeypatch.setenv("HOME", str(home))
    address = parse_address(f"ssh://127.0.0.1:{at_home.port}")
    with pytest.raises(UsageError, match="no key of the agent"), connect(address):
        pass
    (home / ".ssh" / "config").write_text(f"Host *\n  IdentityFile {key}\n")
    with pytest.raises(UsageError, match=r"^ssh://"), connect(address):
        pass


def test_nobody_there(at_home: Board, proxy: Proxy) -> None:
    proxy.refuse = True
    with (
        pytest.raises(LostError, match=r"^ssh://127\.0\.0\.1:\d+: cannot connect"),
        connect(parse_address(f"ssh://127.0.0.1:{proxy.port}")),
    ):
        pass


# adbutils leaves a socket that cannot connect to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("port", ["x", "99999", "0", None, "silent"])
def test_no_adb_server(port: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADBUTILS_ADB_PATH", "/nonexistent/adb")  # else it is started
    monkeypatch.setattr("edge_bench.targets.adb.CONNECT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        own = str(server.getsockname()[1])

        def answer() -> None:
            with server.accept()[0] as client:
                client.sendall(b"OKAYzzzz")

        if port is None:
            threading.Thread(target=answer).start()
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", own if port in (None, "silent") else port)
        with pytest.raises(LostError, match="adb: no adb server: "), connect(parse_address("adb")):
            pass


def test_a_board_that_never_answers(
    at_home: Board, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_bench.targets.ssh.CONNECT_SECONDS", 0.3)
    proxy.silent = True
    with (
        pytest.raises(LostError, match=r"no answer within 0\.3 s|cannot connect"),
        connect(parse_address(f"ssh://127.0.0.1:{proxy.port}")),
    ):
        pass


def test_devices_are_named(phone: Phone) -> None:
    with (
        pytest.raises(UsageError, match=rf"no such device.*127\.0\.0\.1:{phone.port}"),
        connect(parse_address("adb:nosuch")),
    ):
        pass
    with connect(parse_address("adb")) as target:
        target.facts()
        assert target.folder.startswith(str(phone.temporary))


def test_a_file_damaged_on_its_way_is_noticed(phone: Phone, tmp_path: Path) -> None:
    phone.damage = True
    path = tmp_path / "model.tflite"
    path.write_bytes(b"x" * 5000)
    with (
        connect(parse_address("adb")) as target,
        pytest.raises(TargetError, match=r"model\.tflite did not arrive as it was sent"),
    ):
        target.push(path)
    assert phone.leftovers() == []


def test_connection_cut_in_mid_push(proxy: Proxy, at_home: Board, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"x" * 3_000_000)
    with connect(parse_address(f"ssh://127.0.0.1:{proxy.port}")) as target:
        proxy.cut_after = 1_000_000
        with pytest.raises(LostError, match="the connection was lost"):
            target.push(path)
    assert at_home.leftovers() == []


def test_phone_unplugged_in_mid_push(phone: Phone, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"x" * 3_000_000)
    with connect(parse_address("adb")) as target:
        phone.cut_after = 1_000_000
        with pytest.raises(LostError, match="the connection was lost"):
            target.push(path)
    assert phone.leftovers() == []


def test_connection_cut_for_good(proxy: Proxy, at_home: Board) -> None:
    """The board cleans up by itself, and stops what runs."""
    warnings: list[str] = []
    address = parse_address(f"ssh://127.0.0.1:{proxy.port}")
    with connect(address, log=warnings.append) as target:
        proxy.refuse = True
        proxy.cut()
        with pytest.raises(LostError, match="the connection was lost"):
            target.run(["true"], timeout_s=5)
    assert len(warnings) == 1
    assert "cannot be reached to see that" in warnings[0]
    assert at_home.leftovers() == []


def test_a_connection_that_falls_silent(
    proxy: Proxy, at_home: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody closes it: both sides must notice by themselves, and the lock must be free again."""
    monkeypatch.setattr("edge_bench.targets.target.SILENCE_SECONDS", 2)
    monkeypatch.setattr("edge_bench.targets.ssh._KEEPALIVE_SECONDS", 0.5)
    warnings: list[str] = []
    address = parse_address(f"ssh://127.0.0.1:{proxy.port}")
    with connect(address, log=warnings.append) as target:
        proxy.silent = proxy.refuse = True
        with pytest.raises(LostError, match="the connection was lost"):
            target.run(["true"], timeout_s=60)
    assert "cannot be reached to see that" in warnings[0]
    assert at_home.leftovers() == []
    proxy.silent = proxy.refuse = False
    with connect(address):
        pass


def test_programs_are_ended_below_a_link_to_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "link"))
    with connect(parse_address("local")) as target:
        assert Path(target.folder).parent == tmp_path / "real"
        running = threading.Thread(
            target=target.run, args=(["sleep", "100"],), kwargs={"timeout_s": 200}
        )
        running.start()
        while not Path(target.folder, "0.pid").exists():
            assert running.is_alive()
    running.join(timeout=10)
    assert not running.is_alive()


def test_a_lock_of_another_user_is_no_obstacle() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to be two users")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o1777)
        for user in ("1", "2"):
            command = ["setpriv", f"--reuid={user}", "--clear-groups", "sh", "-c", scripts.HOLD]
            command += ["sh", folder, f"{user:0>16}", "9"]
            bare = {"PATH": os.environ["PATH"]}
            done = subprocess.run(command, input="", capture_output=True, text=True, env=bare)
            assert (done.stderr, done.returncode) == ("", 0)
            assert done.stdout == f"{folder}/irnet-{user:0>16}\n"
        assert [p.name for p in Path(folder).iterdir()] == ["irnet.lock"]


@pytest.mark.parametrize(
    "known", [b"garbage\n", b"@foo x y z\n", b"\xff\xfe\n"], ids=["line", "marker", "bytes"]
)
def test_a_damaged_list_of_hosts_is_named(at_home: Board, known: bytes) -> None:
    path = at_home.home / ".ssh" / "known_hosts"
    kept = path.read_bytes()
    path.write_bytes(known)
    try:
        with (
            pytest.raises(UsageError, match=r"bad host name or file in ~/\.ssh: .+"),
            connect(parse_address(f"ssh://127.0.0.1:{at_home.port}")),
        ):
            pass
    finally:
        path.write_bytes(kept)


def test_a_name_no_host_can_have(at_home: Board) -> None:
    with (
        pytest.raises(UsageError, match=r"ssh://a\.\.b: bad host"),
        connect(parse_address("ssh://a..b")),
    ):
        pass
    (at_home.home / ".ssh" / "config").write_text("Host *\n ProxyJump other\n")
    try:
        with pytest.raises(UsageError, match="recursion"), connect(parse_address("ssh://x")):
            pass
    finally:
        (at_home.home / ".ssh" / "config").unlink()


def test_board_out_of_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(b"x" * 300_000)
    try:
        with running_board(tmp_path / "board", tmpfs_kib=100) as board:
            monkeypatch.setenv("HOME", str(board.home))
            with (
                pytest.raises(
                    TargetError,
                    match=r"cannot copy model\.tflite \(300,000 bytes\): .*No space left on "
                    r"device; [\d,]+ bytes are free there",
                ),
                connect(parse_address(f"ssh://127.0.0.1:{board.port}")) as target,
            ):
                target.push(model)
            with connect(parse_address(f"ssh://127.0.0.1:{board.port}")) as target:
                left = target.shell('ls "$1"', str(Path(target.folder).parent))
                assert left.split() == [Path(target.folder).name, "irnet.lock"]
    except RuntimeError as error:
        if "mount" not in str(error) and "unshare" not in str(error):
            raise
        pytest.skip(f"needs the right to mount a small file system: {error}")


def test_phone_out_of_space(phone: Phone, tmp_path: Path) -> None:
    phone.space = 100_000
    path = tmp_path / "model.tflite"
    path.write_bytes(b"x" * 300_000)
    with (
        pytest.raises(TargetError, match=r"cannot copy model\.tflite.*No space left on device"),
        connect(parse_address("adb")) as target,
    ):
        target.push(path)
    assert phone.leftovers() == []
