"""The jar files of Apache Kafka, fetched by Maven as deploy/kafka-test/pom.xml names them."""

import fcntl
import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from ebb.services.service import NotInstalledError

KAFKA_TEST = Path(__file__).parents[2] / "deploy" / "kafka-test"
JAVA_NEEDED = 17  # Kafka 4 brokers
FETCH_WITHIN_S = 300  # 43 MB: 8 s on a quick line
LINES_SHOWN = 5


def kafka_libraries(recipe: Path = KAFKA_TEST) -> Path:
    """The folder with all jar files, fetched when it is not there yet; another pom.xml gets another folder.

    Args:
        recipe: the folder with pom.xml; the jar files go into its `libs`.

    Raises:
        NotInstalledError: no Java, no Maven, no checkout of Ebb, or Maven failed. The message is the whole reason.
    """
    pom = recipe / "pom.xml"
    if not pom.is_file():
        raise NotInstalledError(
            "Apache Kafka for tests starts from a checkout of Ebb: deploy/kafka-test is not in the installed package."
        )
    _require_java()
    libraries = recipe / "libs" / hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
    if not libraries.is_dir():
        with pom.open("rb") as alone:
            fcntl.flock(alone, fcntl.LOCK_EX)  # two test runs may want it: Maven's own repository bears one at a time
            if not libraries.is_dir():
                _fetch(pom, libraries)
    return libraries


def _require_java() -> None:
    """See that a new enough `java` is on the PATH.

    Raises:
        NotInstalledError: it is missing or too old.
    """
    if shutil.which("java") is None:
        raise NotInstalledError(
            f"Java is not installed: Apache Kafka needs Java {JAVA_NEEDED} or newer (Debian: default-jre-headless)."
        )
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S607 - PATH is the user's choice
    version = _java_version(said)
    if version is not None and version < JAVA_NEEDED:
        raise NotInstalledError(f"Java {version} is too old: Apache Kafka needs Java {JAVA_NEEDED} or newer.")


def _java_version(said: str) -> int | None:
    """The main version in what `java -version` says, None when it says something else.

    >>> _java_version('openjdk version "17.0.15" 2025-04-15'), _java_version('java version "1.8.0_401"')
    (17, 8)
    """
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(found[1]) if found else None


def _fetch(pom: Path, libraries: Path) -> None:
    """Let Maven copy into a folder beside the final one, then rename: it is there whole or not at all."""
    if shutil.which("mvn") is None:
        raise NotInstalledError("Maven is not installed: it fetches Apache Kafka (Debian: maven).")
    libraries.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=libraries.parent, prefix=".fetching-") as partial:
        jars = Path(partial) / "jars"
        command = ["mvn", "-B", "-q", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=FETCH_WITHIN_S)  # noqa: S603 - a list of ours
        except subprocess.TimeoutExpired as late:
            raise NotInstalledError(f"Maven did not fetch Apache Kafka within {FETCH_WITHIN_S} s.") from late
        if done.returncode != 0:
            said = "\n".join((done.stdout + done.stderr).strip().splitlines()[:LINES_SHOWN])
            raise NotInstalledError(f"Maven could not fetch Apache Kafka:\n{said}")
        jars.rename(libraries)
