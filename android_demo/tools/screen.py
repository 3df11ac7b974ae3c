"""The activity itself, run and drawn on this machine's JVM by Robolectric."""

import shutil
from pathlib import Path

import build_apk
from host_build import Host
from java_build import ROOT, compile_java, junit
from packages import ANDROID, INSTRUMENTED, ROBOLECTRIC, fetch, fetch_jars, read_list

APP = ROOT / "app" / "src"
TESTS = (APP / "test", APP / "hostScreenTest")
NPZ = APP / "hostTest" / "java" / "org" / "irnet" / "demo" / "session" / "Npz.java"


def write_config(work: Path, apk: Path) -> Path:
    """Where Robolectric finds the app, in the form in which Gradle tells it.

    Returns:
        Folder for the class path.
    """
    config = work / "config" / "com" / "android" / "tools" / "test_config.properties"
    config.parent.mkdir(parents=True)
    values = {
        "android_resource_apk": apk,
        "android_merged_manifest": work / "AndroidManifest.xml",
        "android_merged_assets": APP / "main" / "assets",
        "android_custom_package": "org.irnet.demo",
    }
    text = "".join(f"{name}={value}\n" for name, value in values.items())
    config.write_text(text, encoding="utf-8")
    return work / "config"


def test(host: Host, jar: Path, out: Path, downloads: Path) -> None:
    """Run the tests of the activity; pictures go to ``out/screens``.

    Args:
        host: what the sessions run on.
        jar: JUnit's console launcher.
        out: build folder.
        downloads: of packages.
    """
    work = out / "screen"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    config = write_config(work, build_apk.link_resources(work))
    fetch(INSTRUMENTED, downloads)
    android = fetch(ANDROID, downloads)
    robolectric = fetch_jars(read_list(ROBOLECTRIC), downloads)
    sources = [APP / "main" / "java" / "org" / "irnet" / "demo", work / "gen"]
    app = compile_java(sources, [*host.class_path, android], work / "app")
    needed = [app, *host.class_path, *robolectric]
    sources = [*(folder / "java" for folder in TESTS), work / "npz"]
    (work / "npz").mkdir()
    shutil.copy(NPZ, work / "npz")
    tests = compile_java(sources, [*needed, android], work / "tests")
    options = ["-Drobolectric.offline=true", f"-Drobolectric.dependency.dir={downloads}"]
    junit(
        jar,
        tests,
        [*needed, config, android],
        TESTS[0] / "resources",
        host.runtime,
        host.jni,
        options,
    )
