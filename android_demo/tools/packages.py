"""What the app is built from here: packages of the Maven repository, pinned by version and hash.

Maven itself fetches them, so its settings (mirrors, proxies) hold.
"""

import hashlib
import subprocess
import tempfile
import zipfile
from collections.abc import Sequence
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
# Android 15 for the JVM, as Robolectric 4.16 asks for it; the rest is in its list.
INSTRUMENTED = Package(
    "org.robolectric",
    "android-all-instrumented",
    "15-robolectric-13954326-i7",
    "jar",
    "06c4c8602d6db7486266a982bc55834ed6dfebd62a0b88daca204139ecf142cb",
)
ROBOLECTRIC = Path(__file__).with_name("robolectric.txt")


class BuildError(Exception):
    """The build cannot go on; one line for the user."""


def fetch(package: Package, folder: Path) -> Path:
    """As :func:`fetch_all`, one package."""
    return fetch_all([package], folder)[0]


def fetch_all(packages: Sequence[Package], folder: Path) -> list[Path]:
    """Have Maven bring packages, unless they are there, and check them.

    Raises:
        BuildError: Maven failed, or a file is another one.
    """
    targets = [folder / package.file for package in packages]
    missing = [p for p, target in zip(packages, targets, strict=True) if not target.exists()]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        copy_from_maven(missing, folder)
    for package, target in zip(packages, targets, strict=True):
        with target.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != package.sha256:
            raise BuildError(f"{target}: expected SHA-256 {package.sha256}, found {found}")
    return targets


def copy_from_maven(packages: Sequence[Package], folder: Path) -> None:
    """One run of Maven for all: starting it takes longer than most downloads."""
    items = "".join(
        f"<artifactItem><groupId>{p.group}</groupId><artifactId>{p.artifact}</artifactId>"
        f"<version>{p.version}</version><type>{p.kind}</type></artifactItem>"
        for p in packages
    )
    project = (
        "<project><modelVersion>4.0.0</modelVersion><groupId>org.irnet</groupId>"
        "<artifactId>downloads</artifactId><version>1</version><packaging>pom</packaging>"
        "<build><plugins><plugin><artifactId>maven-dependency-plugin</artifactId>"
        "<version>3.6.1</version><configuration>"
        f"<outputDirectory>{folder.resolve()}</outputDirectory>"
        f"<artifactItems>{items}</artifactItems>"
        "</configuration></plugin></plugins></build></project>"
    )
    with tempfile.TemporaryDirectory() as work:
        pom = Path(work) / "pom.xml"
        pom.write_text(project, encoding="utf-8")
        command = ["mvn", "-q", "-B", "-f", pom, "dependency:copy"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise BuildError("Maven is needed: apt install maven") from error
    absent = [p.coordinates for p in packages if not (folder / p.file).exists()]
    if done.returncode or absent:
        lines = (done.stdout + done.stderr).strip().splitlines() or ["no message"]
        raise BuildError(f"Maven did not bring {', '.join(absent)}: {lines[0]}")


def read_list(path: Path) -> list[Package]:
    """Packages of a file with lines ``group:artifact:version:kind sha256``."""
    packages = []
    for line in path.read_text(encoding="utf-8").splitlines():
        coordinates, sha256 = line.split()
        group, artifact, version, kind = coordinates.split(":")
        packages.append(Package(group, artifact, version, kind, sha256))
    return packages


def fetch_jars(packages: Sequence[Package], folder: Path) -> list[Path]:
    """As :func:`fetch_all`, and of Android packages the jar inside."""
    jars = []
    for package, path in zip(packages, fetch_all(packages, folder), strict=True):
        if package.kind == "aar":
            out = folder / package.artifact
            with zipfile.ZipFile(path) as archive:
                archive.extractall(out)
            path = out / "classes.jar"
        jars.append(path)
    return jars


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
    jars = fetch_jars((TFLITE, TFLITE_API), folder)
    libraries = {p.parent.name: p for p in (folder / TFLITE.artifact / "jni").glob("*/*.so")}
    return Tflite(tuple(jars), libraries)
