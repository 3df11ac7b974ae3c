"""Whether every platform method the app calls exists in the oldest Android it installs on.

The sources are compiled against a newer framework and a newer Java, so a method that came later
compiles and would fail on an old device. R8's TraceReferences compares the dex with Android 7.0's
classes, and for ``java.*``, which that package leaves out, with Java 8's, which Android 7.0 has
what is used of.
"""

import zipfile
from pathlib import Path

from java_build import java_home, run
from packages import R8, Package, fetch

ANDROID_24 = Package(
    "org.robolectric",
    "android-all",
    "7.0.0_r1-robolectric-r1",
    "jar",
    "567bfa3cd3a8c9c5ca736bd86b3f90ff4d6a7ba333b9cfea6ff7d81924f90ce9",
)


def java8_classes(out: Path) -> Path:
    """The classes of Java 8 that javac's ``--release 8`` knows, as a jar."""
    with (
        zipfile.ZipFile(java_home() / "lib" / "ct.sym") as symbols,
        zipfile.ZipFile(out, "w") as jar,
    ):
        seen = set()
        for name in symbols.namelist():
            releases, *folders = name.removesuffix(".sig").split("/")
            if folders and "." in folders[0]:  # a module
                folders = folders[1:]
            path = f"{'/'.join(folders)}.class"
            wanted = "8" in releases and path.startswith("java/") and path not in seen
            if wanted and name.endswith(".sig"):
                seen.add(path)
                jar.writestr(path, symbols.read(name))
    return out


def check(dex: Path, downloads: Path, work: Path) -> None:
    """Compare a dex file with API 24.

    Raises:
        BuildError: it calls something that is not there; TraceReferences prints what.
    """
    command = [java_home() / "bin" / "java", "-XX:TieredStopAtLevel=1", "-cp", fetch(R8, downloads)]
    command += ["com.android.tools.r8.tracereferences.TraceReferences", "--check"]
    command += ["--lib", fetch(ANDROID_24, downloads), "--lib", java8_classes(work / "java8.jar")]
    run([*command, "--source", dex])
