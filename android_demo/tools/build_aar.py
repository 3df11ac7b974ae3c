"""Assemble ``lce-delegate.aar`` without Gradle, from the sources that Gradle builds."""

import re
import zipfile
from pathlib import Path

import build_native
from build_apk import ABIS, gradle_value
from java_build import ROOT, compile_java, java_home
from packages import BuildError, unpack_tflite

MODULE = ROOT / "lce-delegate"
DATE = (1981, 1, 1, 0, 0, 0)
EXAMPLE = """import org.irnet.lce.LceDelegate;
import org.tensorflow.lite.Interpreter;

final class Example {{
  private Example() {{}}

  static void run(java.io.File model, Object input, Object output) {{
{lines}
  }}
}}
"""


def write_zip(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            info = zipfile.ZipInfo(name, DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return path


def build(out: Path, downloads: Path) -> Path:
    """Write ``lce-delegate.aar`` and compile the README's example with it.

    Args:
        out: build folder.
        downloads: of packages.

    Returns:
        The AAR.

    Raises:
        BuildError: a tool failed, or the example does not compile.
    """
    tflite = unpack_tflite(downloads)
    classes = compile_java([MODULE / "src" / "main" / "java"], tflite.jars, out / "lce-delegate")
    files = sorted(classes.rglob("*.class"))
    jar = write_zip(
        out / "lce-delegate.jar",
        {file.relative_to(classes).as_posix(): file.read_bytes() for file in files},
    )
    manifest = (
        '<manifest xmlns:android="http://schemas.android.com/apk/res/android" '
        f'package="org.irnet.lce"><uses-sdk android:minSdkVersion="{gradle_value("minSdk")}" />'
        "</manifest>\n"
    )
    entries = {
        "AndroidManifest.xml": manifest.encode(),
        "classes.jar": jar.read_bytes(),
        "proguard.txt": (MODULE / "consumer-rules.pro").read_bytes(),
        "R.txt": b"",
    }
    for abi in ABIS:
        library = build_native.build(abi, java_home(), out / "native")
        entries[f"jni/{abi}/{library.name}"] = library.read_bytes()
    aar = write_zip(out / "lce-delegate.aar", entries)
    use(aar, tflite.jars, out / "aar-example")
    print(f"{aar.name}: {aar.stat().st_size} bytes, {', '.join(entries)}")
    return aar


def use(aar: Path, jars: tuple[Path, ...], work: Path) -> None:
    """Compile what the README tells users of the AAR to write.

    Raises:
        BuildError: it does not compile, or the README has no such lines.
    """
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"```java\n(.*?)\n```", readme, re.S)
    if found is None:
        raise BuildError("README.md has no example in Java")
    source = work / "source"
    source.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(aar) as archive:
        archive.extract("classes.jar", work)
    (source / "Example.java").write_text(EXAMPLE.format(lines=found[1]), encoding="utf-8")
    compile_java([source], [work / "classes.jar", *jars], work / "classes")
