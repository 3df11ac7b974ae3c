"""Compile and test the Java of the app with a plain JDK."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from packages import BuildError

ROOT = Path(__file__).resolve().parents[1]
RELEASE = "17"


def java_home() -> Path:
    """The JDK of ``JAVA_HOME``, else of ``javac`` on the path.

    Raises:
        BuildError: none.
    """
    if os.environ.get("JAVA_HOME"):
        return Path(os.environ["JAVA_HOME"])
    found = shutil.which("javac")
    if found is None:
        raise BuildError("a JDK 17 is needed: apt install openjdk-17-jdk-headless")
    return Path(found).resolve().parents[1]


def run(command: Sequence[str | Path], **options: object) -> None:
    """Run a command.

    Raises:
        BuildError: it failed; its own output says why.
    """
    try:
        status = subprocess.run([str(part) for part in command], **options).returncode
    except FileNotFoundError as error:
        raise BuildError(f"{command[0]} is needed, see android_demo/README.md") from error
    if status:
        raise BuildError(f"{Path(command[0]).name} failed with status {status}")


def compile_java(sources: Sequence[Path], class_path: Sequence[Path], out: Path) -> Path:
    """Compile all sources below some folders; warnings are errors.

    Args:
        sources: folders.
        class_path: jars and folders.
        out: folder of classes, made anew.
    """
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    files = sorted(file for folder in sources for file in folder.rglob("*.java"))
    # -classfile: annotations that the frameworks' jars mention and do not hold.
    lint = ["-Xlint:all,-classfile", "-Werror"]
    path = os.pathsep.join(str(part) for part in class_path)
    javac = java_home() / "bin" / "javac"
    run([javac, "--release", RELEASE, *lint, "-d", out, "-cp", path, *files])
    return out


def junit(
    jar: Path,
    tests: Path,
    class_path: Sequence[Path],
    resources: Path,
    libraries: Path | None = None,
    jni: Sequence[Path] = (),
    options: Sequence[str] = (),
) -> None:
    """Run all tests of a folder of classes, in the folder ``android_demo``.

    Args:
        jar: JUnit's console launcher.
        tests: compiled tests.
        class_path: what they need.
        resources: of the tests.
        libraries: folder for ``LD_LIBRARY_PATH``.
        jni: folders for ``java.library.path``.
        options: of the JVM.

    Raises:
        BuildError: a test failed.
    """
    path = os.pathsep.join(str(part) for part in (*class_path, tests, resources))
    environment = dict(os.environ)
    if libraries is not None:
        environment["LD_LIBRARY_PATH"] = str(libraries)
    command = [java_home() / "bin" / "java", "-XX:TieredStopAtLevel=1", *options]
    command += [f"-Djava.library.path={os.pathsep.join(str(p) for p in jni)}", "-jar", jar]
    command += ["execute", "-cp", path, "--scan-classpath", tests, "--disable-banner"]
    command += ["--details=tree", "--disable-ansi-colors", "--fail-if-no-tests"]
    run(command, cwd=ROOT, env=environment)
