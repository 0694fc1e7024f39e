"""What a log line looks like, and what it never contains."""

import json
import logging

import pytest
import structlog

from stream.settings.load import load_common_settings, load_worker_settings
from stream.settings.logs import configure_logging

KEY = "0a" * 32


@pytest.fixture
def log_lines(capsys):
    """Configure from the given variables; returns a function with the lines logged since."""
    root, level = logging.getLogger(), logging.getLogger().level
    handlers = list(root.handlers)

    def logged() -> list[str]:
        return capsys.readouterr().err.splitlines()

    def configured(**environ: str):
        configure_logging("worker", load_worker_settings({"EBB_MODEL_KEYS": f"k:{KEY}"} | environ))
        return logged

    yield configured
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_line_is_one_json_object_that_names_time_level_and_process(log_lines):
    lines = log_lines()
    structlog.get_logger("stream.worker").info("partition claimed", partition=3)
    entry = json.loads(lines()[0])
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {
        "event": "partition claimed",
        "partition": 3,
        "level": "info",
        "logger": "stream.worker",
        "process": "worker",
    }


def test_what_libraries_log_takes_the_same_form(log_lines):
    lines = log_lines()
    logging.getLogger("some.library").warning("took %s ms", 12)
    entry = json.loads(lines()[0])
    assert (entry["event"], entry["logger"], entry["process"]) == ("took 12 ms", "some.library", "worker")


def test_an_exception_stays_on_its_line(log_lines):
    lines = log_lines()
    try:
        raise ValueError("no such day")
    except ValueError:
        structlog.get_logger().exception("stopped")
    (line,) = lines()
    assert "ValueError: no such day" in json.loads(line)["exception"]


def test_less_than_the_level_is_not_logged(log_lines):
    lines = log_lines(EBB_LOG_LEVEL="warning")
    structlog.get_logger().info("quiet")
    logging.getLogger("some.library").info("quiet")
    assert lines() == []


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_password_and_no_key_is_logged_wherever_it_hides(log_lines, form):
    url = "redis://ebb:very-secret@redis:6379/0"
    lines = log_lines(EBB_LOG_FORMAT=form, EBB_REDIS_URL=url)
    log = structlog.get_logger()
    log.info("connecting", url="redis://redis:6379/0?password=very-secret&db=1", tls="x?ssl_password=very-secret")
    log.info(f"connecting to {url}", url=url, nested={"urls": [url]}, key=KEY)
    logging.getLogger("some.library").warning("cannot reach %s", url)
    try:
        raise ConnectionError(f"{url} with {KEY}")
    except ConnectionError:
        log.exception("stopped")
    text = "\n".join(lines())
    assert "very-secret" not in text
    assert KEY not in text
    assert "redis://***@redis:6379/0" in text


def test_what_others_have_written_is_no_entry_of_its_own_and_moves_no_cursor(log_lines):
    lines = log_lines(EBB_LOG_FORMAT="text")
    log = structlog.get_logger()
    log.warning("refused\n2026-11-30T00:00:00Z [error] forged", customer="\x1b[2Jada", topic="a\u2028b")
    try:
        raise ValueError("bad\n2026-11-30T00:00:00Z [error] forged \x1b[31m")
    except ValueError:
        log.exception("stopped")
    written = lines()
    assert [line[:4] for line in written if not line.startswith("  ")] == [written[0][:4], written[2][:4]]
    assert all(line.isprintable() for line in written)
    assert ("customer=\\x1b[2Jada" in written[1], "topic=a\\u2028b" in written[1]) == (True, True)


def test_a_command_without_keys_can_log_too(capsys, log_lines):
    log_lines()
    configure_logging("lookup", load_common_settings({"EBB_LOG_FORMAT": "text"}))
    structlog.get_logger().warning("slow")
    assert "slow" in capsys.readouterr().err
