"""The app's inference, built for the JVM of this machine."""

import platform
from dataclasses import dataclass
from pathlib import Path

import android_on_linux
import build_native
from java_build import ROOT, compile_java, java_home
from packages import BuildError, unpack_tflite


@dataclass(frozen=True)
class Host:
    """The app's inference, built for this machine.

    Attributes:
        class_path: of the sessions.
        runtime: folder of TensorFlow Lite's library and what it needs.
        jni: folders of native libraries.
    """

    class_path: list[Path]
    runtime: Path
    jni: list[Path]


def build(out: Path, downloads: Path) -> Host:
    """Build sessions, delegate and TensorFlow Lite for this machine's JVM.

    Args:
        out: build folder.
        downloads: of packages.

    Raises:
        BuildError: not an x86-64 machine, or a step failed.
    """
    if platform.machine() != "x86_64":
        raise BuildError(f"this needs an x86-64 machine, not {platform.machine()}")
    tflite = unpack_tflite(downloads)
    runtime = out / "tflite-on-linux"
    android_on_linux.build(tflite.libraries["x86_64"], runtime)
    native = build_native.build("host", java_home(), out / "native")
    core = compile_java([ROOT / "core" / "src" / "main" / "java"], [], out / "core")
    session = ROOT / "app" / "src" / "main" / "java" / "org" / "irnet" / "demo" / "session"
    delegate = ROOT / "lce-delegate" / "src" / "main" / "java"
    main = compile_java([session, delegate], [core, *tflite.jars], out / "host")
    return Host([core, main, *tflite.jars], runtime, [runtime, native.parent])
