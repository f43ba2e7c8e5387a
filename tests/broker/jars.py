"""Apache Kafka as jars from Maven Central, fetched once into the user's cache, and the Java that runs them."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.broker.errors import BrokerError

POM = Path(__file__).with_name("pom.xml")
INSTALL = "install Java 17 or newer and Maven (Debian: apt-get install openjdk-17-jre-headless maven)"


def cache_folder() -> Path:
    """Where the jars are kept: named by the pom's content, so that another release is another folder."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "rotwatch" / f"kafka-4.1.0-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"


@cache
def java() -> str:
    """The path of a Java that can run Kafka 4. ``JAVA_HOME`` goes before ``PATH``."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home) / "bin") if home else None)
    if found is None:
        raise BrokerError(f"there is no java in {'JAVA_HOME' if home else 'PATH'}: {INSTALL}")
    said = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < 17:
        raise BrokerError(f"{found} is too old for Kafka 4 ({said.splitlines()[:1]}): {INSTALL}")
    return found


def fetch() -> Path:
    """The folder that holds the jars, by way of Maven the first time.

    Two processes may ask at once, and either may be killed: the lock goes with its process, and the folder gets
    its name only when it is whole.
    """
    folder = cache_folder()
    if folder.is_dir():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerError(f"Kafka's jars are not in the cache, and there is no mvn in PATH to fetch them: {INSTALL}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            part = folder.with_name(f"{folder.name}.part")
            shutil.rmtree(part, ignore_errors=True)
            _copy(maven, part)
            part.rename(folder)
    return folder


def _copy(maven: str, folder: Path) -> None:
    goal = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    done = subprocess.run(goal, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0 or not any(folder.glob("kafka_2.13-*.jar")):
        said = "\n".join(done.stdout.splitlines()[-15:])
        raise BrokerError(f"Maven could not fetch Kafka's jars; can it reach Maven Central?\n{said}")


def class_archive() -> Path:
    """Where the archive of loaded classes belongs that halves a broker's start; need not exist yet.

    It holds for one build of Java and one folder of jars, so both are in its name; Java passes over one that does
    not fit.
    """
    stat = Path(java()).resolve().stat()
    build = f"{Path(java()).resolve()} {stat.st_mtime_ns} {stat.st_size} {sys.platform}"
    folder = cache_folder()
    return folder.with_name(f"{folder.name}-{hashlib.sha256(build.encode()).hexdigest()[:12]}.jsa")
