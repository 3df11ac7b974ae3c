"""The CMake package: built, installed, found and linked by a program in C and one in C++."""

import shutil
import subprocess
from pathlib import Path

import lce_delegate
import pytest

NATIVE = Path(__file__).resolve().parents[2] / "native"
PROGRAM = """
#include <lce_delegate/lce_delegate.h>
#include <stdio.h>

static void report(const char* message) { printf("%s\\n", message); }

int main(void) {
  const char* keys[] = {"num_threads"};
  const char* good[] = {"2"};
  const char* bad[] = {"two"};
  void* delegate = tflite_plugin_create_delegate(keys, good, 1, report);
  if (delegate == NULL) return 1;
  tflite_plugin_destroy_delegate(delegate);
  if (tflite_plugin_create_delegate(keys, bad, 1, report) != NULL) return 1;
  printf("version %s\\n", lce_delegate_version());
  return 0;
}
"""
PROJECT = """
cmake_minimum_required(VERSION 3.18)
project(consumer LANGUAGES C CXX)
find_package(lce_delegate {version} REQUIRED)
foreach(language c cc)
  add_executable(consumer_${{language}} main.${{language}})
  target_link_libraries(consumer_${{language}} PRIVATE lce_delegate::lce_delegate)
endforeach()
"""


def run(*command):
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False
    )


def check(*command):
    done = run(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """An installation of the library."""
    for tool in ("cmake", "g++"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    folder = tmp_path_factory.mktemp("cmake")
    check("cmake", "-S", NATIVE, "-B", folder / "build")
    check("cmake", "--build", folder / "build", "--target", "lce_delegate", "--parallel", 2)
    check("cmake", "--install", folder / "build", "--prefix", folder / "installed")
    return folder / "installed"


def consumer(folder, version):
    for language in ("c", "cc"):
        (folder / f"main.{language}").write_text(PROGRAM)
    (folder / "CMakeLists.txt").write_text(PROJECT.format(version=version))
    return folder


@pytest.mark.slow
def test_programs_find_and_link_the_library(prefix, tmp_path):
    version = lce_delegate.info()["version"]
    consumer(tmp_path, version)
    check("cmake", "-S", tmp_path, "-B", tmp_path / "b", f"-DCMAKE_PREFIX_PATH={prefix}")
    check("cmake", "--build", tmp_path / "b")
    for language in ("c", "cc"):
        lines = check(tmp_path / "b" / f"consumer_{language}").splitlines()
        assert "option num_threads: got 'two', accepted: " in lines[0]
        assert lines[1] == f"version {version}"


@pytest.mark.slow
def test_a_newer_version_than_installed_is_not_found(prefix, tmp_path):
    consumer(tmp_path, "99.0")
    done = run("cmake", "-S", tmp_path, "-B", tmp_path / "b", f"-DCMAKE_PREFIX_PATH={prefix}")
    assert done.returncode != 0
    assert "version: " in done.stderr


@pytest.mark.slow
def test_without_a_compiler_it_says_what_to_install(tmp_path, monkeypatch):
    if shutil.which("cmake") is None:
        pytest.skip("needs cmake")
    monkeypatch.setenv("CXX", str(tmp_path / "no-compiler"))
    done = run("cmake", "-S", NATIVE, "-B", tmp_path / "b")
    assert done.returncode != 0
    assert "needs a C++17 compiler and found none" in done.stderr
    assert "sudo apt install g++" in done.stderr
    monkeypatch.delenv("CXX")
    check("cmake", "-S", NATIVE, "-B", tmp_path / "b")  # the same folder, after installing one
