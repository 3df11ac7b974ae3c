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


MAIN = """
import java.util.Collections;
import org.example.LceDelegate;

class Main {
  static void check(String... options) {
    try (LceDelegate delegate = new LceDelegate(options)) {
      System.out.println(delegate.getNativeHandle() != 0);
    } catch (IllegalArgumentException error) {
      System.out.println(error.getMessage());
    }
  }

  public static void main(String[] arguments) {
    check();
    check("kernel", "scalar", "num_threads", "2");
    check("num_threads", "two");
    check("kernel");
    check(Collections.nCopies(34, "kernel").toArray(new String[0]));
    check("kernel", null);
    check(null, "scalar");
    check((String[]) null);
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
    if javac is None or shutil.which("gcc") is None:
        pytest.skip("needs a JDK and gcc")
    home = Path(javac).resolve().parents[1]
    (java,) = re.findall(r"^```java\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    (jni,) = re.findall(r"^```c\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    for name, text in (
        ("LceDelegate.java", java), ("Delegate.java", DELEGATE), ("Main.java", MAIN), ("j.c", jni)
    ):  # fmt: skip
        (tmp_path / name).write_text(text)
    library = Path(lce_delegate.library_path())
    include = [f"-I{home}/include", f"-I{home}/include/linux", f"-I{NATIVE}/include"]
    for command in (
        [javac, "-d", "classes", "LceDelegate.java", "Delegate.java", "Main.java"],
        ["gcc", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-shared", "-fPIC",
         *include, "j.c", str(library), f"-Wl,-rpath,{library.parent}",
         "-o", "liblce_delegate_jni.so"],
        [home / "bin" / "java", "-Xcheck:jni", "-Djava.library.path=.", "-cp", "classes", "Main"],
    ):  # fmt: skip
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    pairs = "options must be at most 16 pairs of key and value"
    lines = done.stdout.splitlines()
    assert lines[:2] == ["true", "true"]
    assert lines[2].startswith("lce_delegate: option num_threads: got 'two', accepted: ")
    null = "options must not be null"
    assert lines[3:] == [pairs, pairs, null, null, pairs]
