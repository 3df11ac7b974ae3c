"""What the app is built from here: packages of the Maven repository, pinned by version and hash.

Maven itself fetches them, so its settings (mirrors, proxies) hold.
"""

import hashlib
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Package:
    """One file of the Maven repository.

    Attributes:
        group: Maven's groupId.
        artifact: Maven's artifactId.
        version: as the repository spells it.
        kind: ``"jar"`` or ``"aar"``.
        sha256: of the file.
    """

    group: str
    artifact: str
    version: str
    kind: str
    sha256: str

    @property
    def coordinates(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}:{self.kind}"

    @property
    def file(self) -> str:
        return f"{self.artifact}-{self.version}.{self.kind}"


# The last versions with files there; the successor, LiteRT, is on Google's server alone.
TFLITE = Package(
    "org.tensorflow",
    "tensorflow-lite",
    "2.16.1",
    "aar",
    "34b065817e294e7dd3569504e8b9454938ceae453b6a459da54d5f6e45d3c94e",
)
TFLITE_API = Package(
    "org.tensorflow",
    "tensorflow-lite-api",
    "2.16.1",
    "aar",
    "885b95bc9e47a4aa5cf8e71523aed9b05e397cfef1ea09773f13fea8b649fcee",
)
# Android 15 (API 35): the last one whose classes a Java 17 compiler reads.
ANDROID = Package(
    "org.robolectric",
    "android-all",
    "15-robolectric-12650502",
    "jar",
    "6c0670454f6fcee9f1b17aa393e81d71bf26e7e6ae7c5777ed3924b062191d5b",
)
R8 = Package(
    "com.android.tools",
    "r8",
    "8.13.19",
    "jar",
    "7712edbae6a71f35937ffc1bd5f4c202919ef2a5e58d3c3544015a868a3cf457",
)
JUNIT = Package(
    "org.junit.platform",
    "junit-platform-console-standalone",
    "1.11.4",
    "jar",
    "b016ef6b1c3454d6d7c2c88ce081dabf289699686af6622d6e4e2e1b54b4a2fc",
)


class BuildError(Exception):
    """The build cannot go on; one line for the user."""


def fetch(package: Package, folder: Path) -> Path:
    """Have Maven bring a package, unless it is there, and check it.

    Raises:
        BuildError: Maven failed, or the file is another one.
    """
    target = folder / package.file
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = ["mvn", "-q", "-B", "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"]
        command += [f"-Dartifact={package.coordinates}", f"-DoutputDirectory={folder}"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise BuildError("Maven is needed: apt install maven") from error
        if done.returncode or not target.exists():
            lines = (done.stdout + done.stderr).strip().splitlines() or ["no message"]
            raise BuildError(f"Maven did not bring {package.coordinates}: {lines[0]}")
    with target.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != package.sha256:
        raise BuildError(f"{target}: expected SHA-256 {package.sha256}, found {found}")
    return target


@dataclass(frozen=True)
class Tflite:
    """TensorFlow Lite's Android packages, unpacked.

    Attributes:
        jars: of its classes.
        libraries: ABI: ``libtensorflowlite_jni.so``.
    """

    jars: tuple[Path, ...]
    libraries: dict[str, Path]


def unpack_tflite(folder: Path) -> Tflite:
    """Fetch and unpack both packages."""
    jars = []
    for package in (TFLITE, TFLITE_API):
        out = folder / package.artifact
        with zipfile.ZipFile(fetch(package, folder)) as archive:
            archive.extractall(out)
        jars.append(out / "classes.jar")
    libraries = {p.parent.name: p for p in (folder / TFLITE.artifact / "jni").glob("*/*.so")}
    return Tflite(tuple(jars), libraries)
