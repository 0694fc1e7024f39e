"""Processes of ours are known again, end when they should, and nobody else's is touched."""

import signal
import socket
import subprocess
import sys

import pytest

from ebb.services.ports import FREE_PORTS, free_port, is_open, require_free
from ebb.services.processes import ProcessIdentity, end, ended_within, start_process
from ebb.services.running import RunningProcess, RunningProcesses
from stream.errors import ServiceError

SLEEP = ["sleep", "60"]


@pytest.fixture
def sleeper():
    process = subprocess.Popen(SLEEP)
    yield process
    process.kill()
    process.wait()


def entry(identity: ProcessIdentity, name: str = "sleeper") -> RunningProcess:
    return RunningProcess(name=name, address="nowhere", log="none", pid=identity.pid, began=identity.began)


def test_a_process_is_alive_until_it_ends(sleeper):
    identity = ProcessIdentity.of(sleeper.pid)
    assert identity.is_alive()
    end(identity, signal.SIGTERM, 5)
    assert not identity.is_alive()


def test_another_process_under_the_same_id_is_not_taken_for_it(sleeper):
    former = ProcessIdentity(sleeper.pid, "1")
    assert not former.is_alive()
    end(former, signal.SIGKILL, 5)
    assert sleeper.poll() is None


def test_a_process_that_ignores_the_request_is_killed(tmp_path):
    ignoring = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"
    process = subprocess.Popen([sys.executable, "-c", ignoring], stdout=subprocess.PIPE)
    process.stdout.readline()
    end(ProcessIdentity.of(process.pid), signal.SIGTERM, 0.1)
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()


def test_a_program_that_is_not_there_is_a_clear_error(tmp_path):
    with pytest.raises(ServiceError, match=r"Cannot run no-such-program: No such file"):
        start_process(["no-such-program"], tmp_path / "log", tied=False)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_tied_process_ends_when_its_parent_is_killed(tmp_path):
    code = (
        "import sys, pathlib; from ebb.services.processes import start_process; "
        "print(start_process(['sleep', '60'], pathlib.Path(sys.argv[1]), tied=True).pid, flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "log")]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    child = ProcessIdentity.of(int(parent.stdout.readline()))
    assert child.is_alive()
    parent.kill()
    parent.communicate()
    assert ended_within(child, 10)


class TestRemembered:
    """What `.ebb/services.json` keeps."""

    def test_only_what_still_runs_is_shown(self, tmp_path, sleeper):
        processes = RunningProcesses(tmp_path)
        with processes.changing():
            processes.remember(entry(ProcessIdentity(sleeper.pid, "1"), "ended long ago"))
            processes.remember(entry(ProcessIdentity.of(sleeper.pid)))
        assert [process.name for process in RunningProcesses(tmp_path).alive()] == ["sleeper"]

    def test_everything_of_ours_is_ended_the_last_first(self, tmp_path):
        started = [subprocess.Popen(SLEEP) for _ in range(2)]
        processes = RunningProcesses(tmp_path)
        with processes.changing():
            for number, process in enumerate(started):
                processes.remember(entry(ProcessIdentity.of(process.pid), f"number {number}"))
            assert [process.name for process in processes.end_all()] == ["number 1", "number 0"]
        assert [process.wait() for process in started] == [-signal.SIGTERM, -signal.SIGTERM]
        assert processes.alive() == []

    def test_two_commands_do_not_change_it_at_once(self, tmp_path):
        with (
            RunningProcesses(tmp_path).changing(),
            pytest.raises(ServiceError, match="Another command is starting"),
            RunningProcesses(tmp_path).changing(),
        ):
            pass

    def test_a_file_that_is_not_ours_is_a_clear_error(self, tmp_path):
        (tmp_path / "services.json").write_text("{")
        with pytest.raises(ServiceError, match=r"services\.json cannot be read"):
            RunningProcesses(tmp_path).alive()


def test_a_free_port_is_free_and_not_one_that_outgoing_connections_take():
    port = free_port()
    assert port in FREE_PORTS
    assert not is_open(port)


def test_a_port_that_was_given_is_not_given_to_another_process_though_nothing_listens_there():
    given = free_port()
    ask = f"from ebb.services.ports import free_port; print(free_port({given}))"
    other = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert int(other.stdout) != given
    assert free_port(given) == given


def test_a_usual_port_where_something_listens_is_not_given():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        usual = taken.getsockname()[1]
        assert free_port(usual) in FREE_PORTS


def test_a_taken_port_is_named_with_what_to_do():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert is_open(port)
        with pytest.raises(ServiceError) as caught:
            require_free(port, "embedded-redis", "choose another with `ebb up --redis-port PORT`")
    assert str(caught.value) == (
        f"embedded-redis cannot start: port {port} on 127.0.0.1 is in use. Stop what listens there "
        f"(`ss -ltnp | grep :{port}` names it), or choose another with `ebb up --redis-port PORT`."
    )
