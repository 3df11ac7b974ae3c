"""What is installed and what ``native/tools/build_wheels.py`` accepts."""

import importlib.util
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import lce_delegate
import pytest

NATIVE = Path(__file__).resolve().parents[2] / "native"
SCRIPT = NATIVE / "tools" / "build_wheels.py"

_spec = importlib.util.spec_from_file_location("build_wheels", SCRIPT)
build_wheels = importlib.util.module_from_spec(_spec)
sys.modules["build_wheels"] = build_wheels  # dataclasses look their module up
_spec.loader.exec_module(build_wheels)


def test_one_version_everywhere():
    source = re.search(
        r"project\(lce_delegate VERSION (\S+)", (NATIVE / "CMakeLists.txt").read_text()
    )
    assert source is not None
    assert metadata.version("lce-delegate") == source[1]
    assert lce_delegate.__version__ == source[1]
    assert lce_delegate.info()["version"] == source[1]


def test_it_fits_all_python_3_and_depends_on_the_runtime_and_numpy():
    distribution = metadata.distribution("lce-delegate")
    tags = re.findall(r"^Tag: (\S+)$", distribution.read_text("WHEEL"), re.MULTILINE)
    assert tags
    assert all(tag.startswith("py3-none-") for tag in tags)
    required = {
        re.split(r"[<>=!; ]", line)[0] for line in distribution.requires if "extra" not in line
    }
    assert required == {"ai-edge-litert", "numpy", "tflite-runtime"}
    for line in distribution.requires:
        if line.startswith("tflite-runtime"):
            marker = line.partition(";")[2].strip().replace("'", '"')
            assert marker == 'platform_machine in "armv6l armv7l"'


def wheel(path, content, name=build_wheels.LIBRARY):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, content)
    return path


@pytest.fixture(scope="module")
def library():
    pytest.importorskip("elftools", reason="needs pyelftools: pip install './native[tools]'")
    return Path(lce_delegate.library_path()).read_bytes()


@pytest.fixture
def arch():
    return build_wheels._host()


def test_the_installed_library_is_accepted(library, arch, tmp_path):
    found = build_wheels.check(arch, wheel(tmp_path / "x.whl", library))
    assert found.needed == ["libc.so.6"]
    assert found.glibc <= (2, 17)
    assert found.exports == build_wheels.EXPORTS
    assert len(found.exports) == 6


def test_what_a_tag_does_not_promise_is_refused(library, arch, tmp_path, monkeypatch):
    path = wheel(tmp_path / "x.whl", library)
    other = "aarch64" if arch == "x86_64" else "x86_64"
    with pytest.raises(build_wheels.WheelError, match=f"{other}: the library is built for EM_"):
        build_wheels.check(other, path)
    with pytest.raises(build_wheels.WheelError, match="must hold one library"):
        build_wheels.check(arch, wheel(tmp_path / "y.whl", library, "lce_delegate/other.so"))
    monkeypatch.setattr(build_wheels, "MAX_LIBRARY_BYTES", 1000)
    with pytest.raises(build_wheels.WheelError, match="bytes, allowed: 1000"):
        build_wheels.check(arch, path)
    extension = importlib.util.find_spec("numpy.core._multiarray_umath").origin
    with pytest.raises(build_wheels.WheelError) as caught:
        build_wheels.check(arch, wheel(tmp_path / "z.whl", Path(extension).read_bytes()))
    assert "allowed: libc.so.6" in str(caught.value)
    assert "; exports PyInit" in str(caught.value)
    assert "; does not export lce_delegate_info, lce_delegate_profile" in str(caught.value)


def test_one_function_more_or_less_is_refused(library, arch, tmp_path, monkeypatch):
    path = wheel(tmp_path / "x.whl", library)
    monkeypatch.setattr(build_wheels, "EXPORTS", build_wheels.EXPORTS[1:])
    with pytest.raises(build_wheels.WheelError, match=r"the library exports lce_delegate_info$"):
        build_wheels.check(arch, path)
    monkeypatch.setattr(build_wheels, "EXPORTS", [*build_wheels.EXPORTS, "lce_delegate_info", "z"])
    with pytest.raises(build_wheels.WheelError, match=r"the library does not export z$"):
        build_wheels.check(arch, path)


@pytest.mark.parametrize(
    ("host", "machines"),
    [("x86_64", ["x86_64", "aarch64"]), ("aarch64", ["aarch64"]), ("armv7l", ["armv7l"])],
)
def test_a_machine_builds_its_own_wheel(monkeypatch, host, machines):
    monkeypatch.setattr(build_wheels, "_host", lambda: host)
    assert build_wheels.default_machines() == machines


def test_a_machine_without_a_wheel_is_one_line_and_status_2(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(build_wheels, "_host", lambda: "riscv64")
    assert build_wheels.main(["--out", str(tmp_path / "dist")]) == 2
    assert capsys.readouterr().err == (
        "error: --arch: no wheel is defined for this machine, riscv64, accepted: x86_64, aarch64, "
        "armv7l\n"
    )
    assert not (tmp_path / "dist").exists()


@pytest.mark.slow
def test_wheels_of_both_machines_are_built_and_checked(tmp_path):
    for module in ("build", "auditwheel", "elftools", "wheel"):
        pytest.importorskip(module, reason=f"needs {module}: pip install './native[tools]'")
    if subprocess.run(["which", "aarch64-linux-gnu-g++"], check=False, stdout=-3).returncode:
        pytest.skip("needs a cross compiler: apt install g++-aarch64-linux-gnu")
    done = subprocess.run(
        [sys.executable, SCRIPT, "--out", tmp_path / "dist"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (tmp_path / "dist").iterdir())
    version = metadata.version("lce-delegate")
    assert names == [
        f"lce_delegate-{version}-py3-none-manylinux2014_{a}.manylinux_2_17_{a}.whl"
        for a in ("aarch64", "x86_64")
    ]
    assert all(name in done.stdout for name in names)
