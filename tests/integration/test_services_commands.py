"""`ebb up`, `ebb down` and `ebb kafka up`, run as a user runs them, in an empty folder."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from ebb.services.kafka_libraries import kafka_libraries
from ebb.services.ports import free_port, is_open
from ebb.services.processes import TIED, ProcessIdentity

EBB = [sys.executable, "-c", "from ebb.cli import main; main()"]

GUARD = """
import fcntl, pathlib, sys
from ebb.services.running import RunningProcesses
sys.stdin.read()
processes = RunningProcesses(pathlib.Path(sys.argv[1]))
processes.folder.mkdir(exist_ok=True)
with (processes.folder / "services.lock").open("w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    processes.end_all()
"""
"""Ends what runs in a folder when its input is closed: by the fixture, or by the kernel when the test run is killed."""


class Project:
    """A folder to run commands in. Everything they left running is ended with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kafka_port, self.redis_port = free_port(), free_port()
        self.environ = {name: text for name, text in os.environ.items() if not name.startswith("EBB_")} | {
            "EBB_KAFKA_SERVERS": f"127.0.0.1:{self.kafka_port}",
            "EBB_REDIS_URL": f"redis://127.0.0.1:{self.redis_port}/0",
        }

    def ebb(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*EBB, *arguments], cwd=self.folder, env=self.environ, capture_output=True, text=True, check=False
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        tied = [sys.executable, "-I", "-S", str(TIED), str(os.getpid()), *EBB]
        return subprocess.Popen(
            [*tied, *arguments], cwd=self.folder, env=self.environ, stdout=subprocess.PIPE, text=True
        )

    def running(self) -> dict[str, ProcessIdentity]:
        entries = json.loads((self.folder / ".ebb" / "services.json").read_text())
        found = {entry["name"]: ProcessIdentity(entry["pid"], entry["began"]) for entry in entries}
        return {name: identity for name, identity in found.items() if identity.is_alive()}

    def redis(self) -> redis.Redis:
        return redis.Redis(port=self.redis_port)


@pytest.fixture
def project(tmp_path):
    guard = subprocess.Popen(
        [sys.executable, "-c", GUARD, str(tmp_path / ".ebb")], stdin=subprocess.PIPE, start_new_session=True
    )
    yield Project(tmp_path)
    guard.communicate()
    assert guard.returncode == 0


def test_up_starts_both_and_down_ends_both(project):
    shown = project.ebb("up")
    assert shown.returncode == 0, shown.stderr
    assert f"127.0.0.1:{project.kafka_port}" in shown.stdout
    assert "EBB_SESSION_TIMEOUT_MS=6000" in shown.stdout
    assert set(project.running()) == {"embedded-broker", "embedded-redis"}
    assert is_open(project.kafka_port)
    with project.redis() as client:
        assert client.ping()
    shown = project.ebb("down")
    assert shown.stdout.splitlines()[0].split()[0] == "embedded-redis"
    assert project.running() == {}
    assert not is_open(project.kafka_port)
    assert project.ebb("down").stdout == "nothing runs\n"


def test_a_second_up_says_what_runs_and_changes_nothing(project):
    project.ebb("up")
    before = project.running()
    with project.redis() as client:
        client.set("kept", 1)
    shown = project.ebb("up")
    assert (shown.returncode, shown.stdout.count("runs already")) == (0, 2)
    assert project.running() == before
    with project.redis() as client:
        assert client.get("kept") == b"1"


def test_up_on_other_ports_than_what_runs_is_refused(project):
    project.ebb("up")
    shown = project.ebb("up", "--redis-port", str(free_port()))
    assert shown.returncode == 1
    assert "is not where embedded-redis runs. `ebb down` first" in shown.stderr


def test_both_start_empty_when_one_was_left_alone(project):
    project.ebb("up")
    with project.redis() as client:
        client.set("position", "of a topic that is gone")
    before = project.running()
    os.kill(before["embedded-broker"].pid, signal.SIGKILL)
    shown = project.ebb("up")
    assert "embedded-redis ran without its companion and was restarted empty with it." in shown.stdout
    assert project.running().keys() == before.keys()
    assert project.running()["embedded-redis"] != before["embedded-redis"]
    with project.redis() as client:
        assert client.dbsize() == 0


def test_a_taken_port_is_named_and_nothing_is_left_running(project):
    with socket.create_server(("127.0.0.1", project.redis_port)):
        shown = project.ebb("up")
    assert shown.returncode == 1
    assert f"embedded-redis cannot start: port {project.redis_port} on 127.0.0.1 is in use." in shown.stderr
    assert "ebb up --redis-port PORT" in shown.stderr
    assert not is_open(project.kafka_port)


def test_a_server_elsewhere_is_not_started_here(project):
    project.environ["EBB_KAFKA_SERVERS"] = "kafka-1:9092"
    shown = project.ebb("up")
    assert shown.returncode == 1
    assert "EBB_KAFKA_SERVERS='kafka-1:9092' is not one server on this machine" in shown.stderr


def test_apache_kafka_runs_detached_and_in_front_and_keeps_its_topics(project):
    kafka_libraries()  # where it cannot run this says why, and the test is skipped
    servers = f"127.0.0.1:{project.kafka_port}"
    shown = project.ebb("kafka", "up", "--detach", "--port", str(project.kafka_port))
    assert shown.returncode == 0, shown.stderr
    admin = KafkaAdminClient(bootstrap_servers=servers)
    admin.create_topics([NewTopic("kept", num_partitions=1, replication_factor=1)])
    admin.close()
    again = project.ebb("kafka", "up", "--port", str(project.kafka_port))
    assert f"apache-kafka already runs at {servers}" in again.stderr
    assert "apache-kafka" in project.ebb("down").stdout
    assert not is_open(project.kafka_port)

    in_front = project.start("kafka", "up", "--port", str(project.kafka_port))
    assert "ready" in in_front.stdout.readline()
    admin = KafkaAdminClient(bootstrap_servers=servers)
    assert "kept" in admin.list_topics()
    admin.close()
    in_front.send_signal(signal.SIGINT)
    assert "stopped" in in_front.communicate()[0]
    assert in_front.returncode == 0
    assert not is_open(project.kafka_port)
