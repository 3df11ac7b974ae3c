"""Assemble the debug APK without Gradle, SDK and NDK, from the sources that Gradle builds."""

import re
import shutil
import struct
import zipfile
from pathlib import Path

import build_native
from java_build import ROOT, compile_java, java_home, run
from packages import ANDROID, R8, BuildError, Tflite, fetch, unpack_tflite

APP = ROOT / "app" / "src" / "main"
DEBUG = ROOT / "app" / "src" / "debug"
SOURCES = (
    ROOT / "core" / "src" / "main" / "java",
    ROOT / "lce-delegate" / "src" / "main" / "java",
    APP / "java",
    DEBUG / "java",
)
# Resources of Android 10, for the attributes and themes that the app's resources name.
FRAMEWORK = Path("/usr/share/android-framework-res/framework-res.apk")
ABIS = ("arm64-v8a", "x86_64")
PAGE = 16384
# Of zip files: bytes of an entry's header before its name, and Android's field of padding, which
# tells apksigner the alignment to keep.
LOCAL_HEADER, EXTRA_HEADER, ALIGNMENT_FIELD = 30, 6, 0xD935
KEY = ("-storepass", "android", "-keypass", "android", "-alias", "androiddebugkey")


def gradle_value(name: str) -> str:
    """A version that the catalogue of Gradle's build sets.

    Raises:
        BuildError: none of this name.
    """
    catalogue = (ROOT / "gradle" / "libs.versions.toml").read_text(encoding="utf-8")
    found = re.search(rf'^{name} = "([^"]+)"$', catalogue, re.MULTILINE)
    if found is None:
        raise BuildError(f"gradle/libs.versions.toml has no version {name!r}")
    return found[1]


def build(out: Path, downloads: Path) -> Path:
    """Write ``irnet-demo-debug.apk``.

    Args:
        out: build folder.
        downloads: of packages.

    Returns:
        The APK.
    """
    tflite = unpack_tflite(downloads)
    work = out / "apk"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    base = link_resources(work)
    dex = build_dex(work, tflite, downloads)
    aligned = work / "aligned.apk"
    with zipfile.ZipFile(base) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    entries["classes.dex"] = dex.read_bytes()
    for abi in ABIS:
        native = build_native.build(abi, java_home(), out / "native")
        for library in (native, tflite.libraries[abi]):
            entries[f"lib/{abi}/{library.name}"] = library.read_bytes()
    write_aligned(aligned, entries)
    return sign(aligned, out / "irnet-demo-debug.apk", out)


def link_resources(work: Path) -> Path:
    """Compile resources and manifest; also writes ``R.java`` below ``work/gen``."""
    if not FRAMEWORK.exists():
        raise BuildError("Android's resources are needed: apt install android-framework-res aapt")
    manifest = work / "AndroidManifest.xml"
    text = (APP / "AndroidManifest.xml").read_text(encoding="utf-8")
    # Gradle adds these itself.
    text = text.replace("<manifest ", '<manifest package="org.irnet.demo" ', 1)
    added = '<application android:debuggable="true" android:extractNativeLibs="false"'
    text = text.replace("<application", added, 1)
    (instrumentation,) = re.findall(
        r"<instrumentation.*?/>", (DEBUG / "AndroidManifest.xml").read_text(encoding="utf-8"), re.S
    )
    text = text.replace("</manifest>", f"{instrumentation}\n</manifest>", 1)
    manifest.write_text(text, encoding="utf-8")
    compiled, base = work / "resources.zip", work / "base.apk"
    run(["aapt2", "compile", "--dir", APP / "res", "-o", compiled])
    command = ["aapt2", "link", "-I", FRAMEWORK, "--manifest", manifest, "-A", APP / "assets"]
    command += ["--min-sdk-version", gradle_value("minSdk")]
    command += ["--target-sdk-version", gradle_value("targetSdk")]
    command += ["--version-code", "1", "--version-name", gradle_value("app")]
    command += ["--java", work / "gen", "-0", "tflite", "-o", base, compiled]
    run(command)
    return base


def build_dex(work: Path, tflite: Tflite, downloads: Path) -> Path:
    """Compile the Java and translate it together with TensorFlow Lite's."""
    android = fetch(ANDROID, downloads)
    classes = compile_java((*SOURCES, work / "gen"), (android, *tflite.jars), work / "classes")
    jar = work / "app.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        for file in sorted(classes.rglob("*.class")):
            archive.write(file, file.relative_to(classes).as_posix())
    command = [java_home() / "bin" / "java", "-XX:TieredStopAtLevel=1", "-cp"]
    command += [fetch(R8, downloads), "com.android.tools.r8.D8", "--debug"]
    command += ["--min-api", gradle_value("minSdk"), "--lib", android, "--lib", java_home()]
    run([*command, "--output", work, jar, *tflite.jars])
    return work / "classes.dex"


def write_aligned(path: Path, entries: dict[str, bytes]) -> None:
    """Write a zip file whose uncompressed entries lie where Android can map them.

    Native libraries, which are loaded from the APK itself, begin at multiples of 16 KB; other
    uncompressed entries at multiples of 4.
    """
    stored = (".so", ".tflite", ".arsc")
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, (1981, 1, 1, 0, 0, 0))
            if name.endswith(stored):
                alignment = PAGE if name.endswith(".so") else 4
                begin = archive.start_dir + LOCAL_HEADER + len(name) + EXTRA_HEADER
                padding = bytes(-begin % alignment)
                info.extra = struct.pack("<HHH", ALIGNMENT_FIELD, 2 + len(padding), alignment)
                info.extra += padding
            else:
                info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, entries[name])


def sign(aligned: Path, apk: Path, out: Path) -> Path:
    """Sign with a debug key, made where there is none."""
    store = out / "debug.keystore"
    if not store.exists():
        command = [java_home() / "bin" / "keytool", "-genkeypair", "-keystore", store, *KEY]
        command += ["-dname", "CN=Android Debug", "-keyalg", "RSA", "-keysize", "2048"]
        run([*command, "-validity", "10000"])
    command = ["apksigner", "sign", "--ks", store, "--ks-pass", "pass:android"]
    command += ["--key-pass", "pass:android", "--min-sdk-version", gradle_value("minSdk")]
    command += ["--v4-signing-enabled", "false"]
    run([*command, "--in", aligned, "--out", apk])
    return apk
