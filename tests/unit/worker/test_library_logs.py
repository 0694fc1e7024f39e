"""A client that cannot reach its broker complains ten times a second; the log has it once."""

import asyncio
import gc
import logging

import pytest
from aiokafka.errors import GroupLoadInProgressError

from stream.worker import library_logs
from stream.worker.library_logs import NowAndThen, quiet_libraries


def line(name: str, message: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, __file__, 1, message, arguments, None)


def test_the_same_words_of_a_library_pass_again_only_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr(library_logs.time, "monotonic", lambda: now_s)
    passes = NowAndThen()
    assert passes.filter(line("aiokafka.consumer.fetcher", "Failed fetch messages from %s", 1))
    assert not passes.filter(line("aiokafka.consumer.fetcher", "Failed fetch messages from %s", 2))
    assert passes.filter(line("aiokafka.consumer.fetcher", "something else"))
    assert passes.filter(line("aiokafka.client", "Failed fetch messages from %s", 1))
    now_s += library_logs.REPEAT_AFTER_S
    assert passes.filter(line("aiokafka.consumer.fetcher", "Failed fetch messages from %s", 3))


def test_ebbs_own_lines_always_pass() -> None:
    passes = NowAndThen()
    assert all(passes.filter(line("stream.worker.lane", "lane started")) for _ in range(3))


async def abandoned(failing_with: Exception) -> None:
    """Give up something shielded, as aiokafka's commit of offsets is, that fails afterwards."""
    may_fail = asyncio.Event()

    async def request() -> None:
        await may_fail.wait()
        raise failing_with

    async def shielded() -> None:
        await asyncio.shield(request())

    waiting = asyncio.ensure_future(shielded())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    may_fail.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()


def test_what_a_request_to_kafka_that_was_given_up_ends_with_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.addFilter(passes := NowAndThen())
    try:
        asyncio.run(abandoned(GroupLoadInProgressError()))
        assert not caplog.records
        asyncio.run(abandoned(ValueError("ours")))
        assert "Task exception was never retrieved" in caplog.text
    finally:
        caplog.handler.removeFilter(passes)


def test_all_handlers_are_quieted_once() -> None:
    root, handler = logging.getLogger(), logging.StreamHandler()
    levels = {name: logging.getLogger(name).level for name in library_logs.LEVELS}
    root.addHandler(handler)
    try:
        quiet_libraries()
        quiet_libraries()
        assert sum(isinstance(each, NowAndThen) for each in handler.filters) == 1
        assert not logging.getLogger("faust.app").isEnabledFor(logging.ERROR)
        assert logging.getLogger("aiokafka.client").isEnabledFor(logging.ERROR)
    finally:
        root.removeHandler(handler)
        for each in root.handlers:
            each.filters[:] = [known for known in each.filters if not isinstance(known, NowAndThen)]
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
