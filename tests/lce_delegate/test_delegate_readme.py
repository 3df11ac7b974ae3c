"""``native/README.md`` names what there is, and its examples run."""

import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import lce_delegate
import pytest
from lce_delegate import _bench, _load

NATIVE = Path(__file__).resolve().parents[2] / "native"
TEXT = (NATIVE / "README.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("example", EXAMPLES)
def test_python_examples_run(example, model_path, free_size, tmp_path):
    shutil.copy(model_path, tmp_path / "model.tflite")
    shutil.copy(free_size[0], tmp_path / "free_size.tflite")
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_public_name_and_option_is_listed():
    for name in lce_delegate.__all__:
        if name != "LceDelegateError":
            assert re.search(rf"^\|.*`{name}[`(].* \|", TEXT, re.MULTILINE), name
    for option in _load.OPTIONS:
        assert f"| `{option}=`" in TEXT, option
    names = inspect.getfullargspec(lce_delegate.load).kwonlyargs
    assert names == list(_load.OPTIONS)


def test_every_key_of_the_benchmark_is_listed(model_path):
    result = _bench.bench(model_path, num_runs=1, warmup_runs=0, profiled=True)
    (paragraph,) = re.findall(r"^Keys of `bench --json`.*?\n\n", TEXT, re.DOTALL | re.MULTILINE)
    for key in [*result, *result["runtime"], *result["profile"][0]]:
        assert f"`{key}`" in paragraph, key


def test_links_lead_somewhere_outside_the_repository_too():
    # The text is also the wheel's description.
    headings = {
        "#" + re.sub(r"[^a-z0-9 ]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXT):
        assert target in headings or target.startswith("https://"), target
    for name in re.findall(r"`?(docs/[\w/]+\.md)`?", TEXT):
        assert (NATIVE.parent / name).exists(), name


ANDROID = NATIVE.parent / "android_demo"
MAIN = """
import org.irnet.lce.LceDelegate;

class Main {
  static void check(LceDelegate.Settings settings) {
    try (LceDelegate delegate = LceDelegate.create(settings)) {
      System.out.println(delegate.getNativeHandle() != 0);
      System.out.println(delegate.profile());
      delegate.close();
      delegate.getNativeHandle();
    } catch (IllegalArgumentException | IllegalStateException error) {
      System.out.println(error.getMessage());
    }
  }

  public static void main(String[] arguments) {
    check(new LceDelegate.Settings());
    check(new LceDelegate.Settings().threads(2).kernel("scalar"));
    check(new LceDelegate.Settings().threads(99));
    check(new LceDelegate.Settings().kernel(null));
    check(new LceDelegate.Settings().kernel("x" + "\\u00e9".repeat(30)));
    System.out.println(LceDelegate.info().contains("kernel_sets"));
  }
}
"""
DELEGATE = """
package org.tensorflow.lite;

public interface Delegate extends AutoCloseable {
  long getNativeHandle();

  default void close() {}
}
"""


def test_the_java_class_and_its_jni_work(tmp_path):
    javac = shutil.which("javac")
    if javac is None or shutil.which("g++") is None:
        pytest.skip("needs a JDK and g++")
    home = Path(javac).resolve().parents[1]
    for name, text in (("Delegate.java", DELEGATE), ("Main.java", MAIN)):
        (tmp_path / name).write_text(text)
    source = ANDROID / "lce-delegate" / "src" / "main"
    java = source / "java" / "org" / "irnet" / "lce" / "LceDelegate.java"
    library = Path(lce_delegate.library_path())
    include = [f"-I{home}/include", f"-I{home}/include/linux", f"-I{NATIVE}/include"]
    for command in (
        [javac, "-d", "classes", str(java), "Delegate.java", "Main.java"],
        ["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", *include,
         str(source / "cpp" / "lce_delegate_jni.cc"), str(library),
         f"-Wl,-rpath,{library.parent}", "-o", "liblce_delegate_jni.so"],
        [home / "bin" / "java", "-Xcheck:jni", "-Djava.library.path=.", "-cp", "classes", "Main"],
    ):  # fmt: skip
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[:6] == ["true", "[]", "the delegate is closed"] * 2
    assert lines[6].startswith("lce_delegate: option num_threads: got '99', accepted: 0 ")
    assert lines[7] == "options must not be null"
    # Cut within a character by the library; Android's checks would end the app.
    cut = "?" * 39
    assert lines[8].startswith(
        f"lce_delegate: option kernel: unknown kernel set 'x{cut}', accepted"
    )
    assert lines[9:] == ["true"]


def test_java_is_used_as_the_android_library_says():
    (here,), there = (
        re.findall(r"^```java\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        for text in (TEXT, (ANDROID / "README.md").read_text(encoding="utf-8"))
    )
    assert [here] == there
