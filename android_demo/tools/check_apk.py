"""Check an APK with tools that did not build it: ``check_apk.py APK``.

Zip file and libraries are read here, manifest, resources and dex by androguard, the signature by
apksigner. Prints what was found; the first finding that is wrong ends it with status 1.
"""

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

from androguard.core.apk import APK
from androguard.core.dex import DEX
from androguard.util import set_log
from elf import Library, read_library

MAX_BYTES = 12_000_000
PAGE = 16384
ABIS = {"arm64-v8a", "x86_64"}
LIBRARIES = {"liblce_delegate_jni.so", "libtensorflowlite_jni.so"}
# Of the NDK's stable libraries.
SYSTEM = {"libc.so", "libm.so", "libdl.so", "liblog.so"}
# TensorFlow Lite 2.16.1 was linked for 4 KB pages. Android 16 loads such libraries on devices
# with 16 KB pages in a compatibility mode; the Gradle build has LiteRT, which needs none.
SMALL_PAGES = {"libtensorflowlite_jni.so"}
OURS = "liblce_delegate_jni.so"
NAMESPACE = "{http://schemas.android.com/apk/res/android}"
CLASSES = {
    "Lorg/irnet/demo/MainActivity;",
    "Lorg/irnet/demo/SmokeTest;",
    "Lorg/irnet/lce/LceDelegate;",
    "Lorg/irnet/core/InferenceLoop;",
    "Lorg/tensorflow/lite/Interpreter;",
}


class WrongError(Exception):
    """What is wrong with the APK."""


def require(condition: bool, message: str) -> None:
    if not condition:
        raise WrongError(message)


def check_zip(path: Path) -> None:
    size = path.stat().st_size
    require(size < MAX_BYTES, f"{size} bytes, expected less than {MAX_BYTES}")
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        require(archive.testzip() is None, "a checksum of the zip file is wrong")
        for info in archive.infolist():
            header = data[info.header_offset : info.header_offset + 30]
            begin = info.header_offset + 30
            begin += int.from_bytes(header[26:28], "little")
            begin += int.from_bytes(header[28:30], "little")
            if info.filename.endswith(".so"):
                stored = info.compress_type == zipfile.ZIP_STORED
                require(stored and begin % PAGE == 0, f"{info.filename}: not mapped in 16 KB pages")
            elif info.compress_type == zipfile.ZIP_STORED:
                require(begin % 4 == 0, f"{info.filename}: not aligned to 4 bytes")
    print(f"zip: {size} bytes, libraries stored at multiples of {PAGE}")


def check_libraries(archive: zipfile.ZipFile) -> None:
    found: dict[str, dict[str, Library]] = {}
    for name in archive.namelist():
        if name.startswith("lib/"):
            _, abi, file = name.split("/")
            found.setdefault(abi, {})[file] = read_library(archive.read(name))
    require(set(found) == ABIS, f"ABIs {sorted(found)}, expected {sorted(ABIS)}")
    for abi, libraries in found.items():
        require(set(libraries) == LIBRARIES, f"{abi}: libraries {sorted(libraries)}")
        for file, library in libraries.items():
            require(library.abi == abi, f"{abi}/{file} is for {library.abi}")
            strange = set(library.needed) - SYSTEM
            require(not strange, f"{abi}/{file} needs {sorted(strange)}")
            require(not library.text_relocations, f"{abi}/{file} has text relocations")
            small = library.page < PAGE
            require(not small or file in SMALL_PAGES, f"{abi}/{file}: {library.page}-byte pages")
            needs = ", ".join(library.needed)
            print(
                f"{abi}/{file}: needs {needs}, {len(library.imports)} symbols, page {library.page}"
            )
        ours = libraries[OURS]
        require(ours.needed == ("libc.so",), f"{abi}/{OURS} needs {ours.needed}")
        require(not ours.thread_local, f"{abi}/{OURS} has thread-local variables")


def check_manifest(apk: APK) -> None:
    facts = {
        "package": (apk.get_package(), "org.irnet.demo"),
        "minSdkVersion": (apk.get_min_sdk_version(), "24"),
        "targetSdkVersion": (apk.get_target_sdk_version(), "36"),
        "permissions": (sorted(apk.get_permissions()), ["android.permission.CAMERA"]),
        "activities": (list(apk.get_activities()), ["org.irnet.demo.MainActivity"]),
        "main activity": (apk.get_main_activity(), "org.irnet.demo.MainActivity"),
        "services": (list(apk.get_services()), []),
        "receivers": (list(apk.get_receivers()), []),
        "providers": (list(apk.get_providers()), []),
    }
    for name, (found, expected) in facts.items():
        require(found == expected, f"{name}: {found}, expected {expected}")
        print(f"{name}: {found}")
    root = apk.get_android_manifest_xml()
    (activity,) = root.iter("activity")
    require(
        activity.get(f"{NAMESPACE}exported") == "true", "the launcher cannot start the activity"
    )
    (application,) = root.iter("application")
    require(
        application.get(f"{NAMESPACE}extractNativeLibs") == "false",
        "libraries would be copied out of the APK",
    )
    exported = [n.get(f"{NAMESPACE}name") for n in root.iter() if n.get(f"{NAMESPACE}exported")]
    require(exported == ["org.irnet.demo.MainActivity"], f"exported: {exported}")
    tests = [node.get(f"{NAMESPACE}name") for node in root.iter("instrumentation")]
    require(tests == ["org.irnet.demo.SmokeTest"], f"instrumentation: {tests}")
    require(apk.get_app_name() == "1-bit camera", f"name of the app: {apk.get_app_name()!r}")


def check_dex(apk: APK) -> None:
    names, methods = set(), 0
    for content in apk.get_all_dex():
        dex = DEX(content)
        names.update(item.get_name() for item in dex.get_classes())
        methods += len(dex.get_methods())
    require(names >= CLASSES, f"classes missing: {sorted(CLASSES - names)}")
    print(f"dex: {len(names)} classes, {methods} methods")


def check_assets(archive: zipfile.ZipFile) -> None:
    manifest = json.loads(archive.read("assets/models.json"))
    expected = {"assets/models.json"}
    for row in manifest["models"]:
        name = f"assets/{row['file']}"
        expected.add(name)
        content = archive.read(name)
        require(len(content) == row["bytes"], f"{name}: {len(content)} bytes")
        require(hashlib.sha256(content).hexdigest() == row["sha256"], f"{name}: other SHA-256")
    found = {name for name in archive.namelist() if name.startswith("assets/")}
    require(found == expected, f"assets {sorted(found)}, expected {sorted(expected)}")
    print(f"assets: {len(expected) - 1} models, SHA-256 as the manifest says")


def check_signature(path: Path) -> None:
    command = ["apksigner", "verify", "--min-sdk-version", "24", "-v", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    require(done.returncode == 0, f"apksigner: {done.stdout}{done.stderr}")
    require("v2): true" in done.stdout, "no v2 signature")
    subprocess.run(["zipalign", "-c", "-p", "4", str(path)], check=True)
    print("signature: v2, verified")


def main() -> int:
    path = Path(sys.argv[1])
    set_log("ERROR")
    try:
        check_zip(path)
        with zipfile.ZipFile(path) as archive:
            check_libraries(archive)
            check_assets(archive)
        apk = APK(str(path))
        check_manifest(apk)
        check_dex(apk)
        check_signature(path)
    except (WrongError, ValueError, KeyError, subprocess.CalledProcessError) as error:
        print(f"{path.name}: {error}", file=sys.stderr)
        return 1
    print("1 passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
