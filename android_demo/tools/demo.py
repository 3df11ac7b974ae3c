"""Build and check the Android demo without Google's servers.

python android_demo/tools/demo.py test     # JUnit tests of core
python android_demo/tools/demo.py host     # the app's inference on this machine's JVM
python android_demo/tools/demo.py screen   # the activity, its pictures in build/screens
python android_demo/tools/demo.py aar      # build/lce-delegate.aar, for other apps
python android_demo/tools/demo.py apk      # build/irnet-demo-debug.apk, checked
python android_demo/tools/demo.py all
"""

import argparse
import os
import shutil
import subprocess
import sys
import venv

import build_aar
import build_apk
import check_api
import emulated
import host_build
import screen
from java_build import ROOT, compile_java, java_home, junit, run
from packages import JUNIT, BuildError, fetch

BUILD = ROOT / "build"
DOWNLOADS = BUILD / "downloads"
CORE = ROOT / "core" / "src"
APP = ROOT / "app" / "src"


def test() -> None:
    """JUnit tests of ``core``."""
    jar = fetch(JUNIT, DOWNLOADS)
    core = compile_java([CORE / "main" / "java"], [], BUILD / "core")
    tests = compile_java([CORE / "test" / "java"], [core, jar], BUILD / "core-test")
    junit(jar, tests, [core], CORE / "test" / "resources")


def host() -> None:
    """The app's sessions with Android's own TensorFlow Lite on this machine."""
    built = host_build.build(BUILD, DOWNLOADS)
    jar = fetch(JUNIT, DOWNLOADS)
    sources = [APP / "hostTest" / "java"]
    tests = compile_java(sources, [*built.class_path, jar], BUILD / "host-test")
    resources = APP / "hostTest" / "resources"
    junit(jar, tests, built.class_path, resources, built.runtime, built.jni)


def screens() -> None:
    """The activity, run and drawn on this machine."""
    screen.test(host_build.build(BUILD, DOWNLOADS), fetch(JUNIT, DOWNLOADS), BUILD, DOWNLOADS)


def bench() -> None:
    """What of a frame's way can be timed here."""
    built = host_build.build(BUILD, DOWNLOADS)
    classes = compile_java([APP / "hostBench" / "java"], built.class_path, BUILD / "host-bench")
    path = os.pathsep.join(str(part) for part in (*built.class_path, classes))
    command = [java_home() / "bin" / "java", "-cp", path]
    command += [f"-Djava.library.path={os.pathsep.join(str(part) for part in built.jni)}"]
    command += ["org.irnet.demo.session.Bench"]
    run(command, cwd=ROOT, env={**os.environ, "LD_LIBRARY_PATH": str(built.runtime)})


def apk() -> None:
    """Build the APK and check it with other tools than those that built it."""
    path = build_apk.build(BUILD, DOWNLOADS)
    check_api.check(BUILD / "apk" / "classes.dex", DOWNLOADS, BUILD / "apk")
    checker = BUILD / "checker"
    python = checker / "bin" / "python"
    requirements = ROOT / "tools" / "requirements.txt"
    installed = checker / requirements.name  # written last: an interrupted one is made anew
    if not installed.exists() or installed.read_bytes() != requirements.read_bytes():
        venv.create(checker, with_pip=True, clear=True)
        run([python, "-m", "pip", "install", "-q", "-r", requirements])
        shutil.copy(requirements, installed)
    run([python, ROOT / "tools" / "check_apk.py", path])


def aar() -> None:
    """The delegate as a library for other apps."""
    build_aar.build(BUILD, DOWNLOADS)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    steps = {
        "test": [test],
        "host": [host],
        "screen": [screens],
        "aar": [aar],
        "apk": [apk],
        "all": [test, host, screens, aar, apk],
        "bench": [bench],
        "emulated": [lambda: emulated.run_arm64(BUILD / "native")],
    }
    parser.add_argument("what", choices=steps)
    try:
        for step in steps[parser.parse_args().what]:
            step()
    except (BuildError, subprocess.CalledProcessError, OSError) as error:
        print(f"demo.py: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
