"""What was read of a log is compared with what it holds later, before anything newer is taken for the truth."""

import asyncio
import gc
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from ebb.services.ports import free_port
from stream.errors import LogRecreatedError
from stream.ports import LogPosition
from stream.worker.log_check import compare_logs
from stream.worker.log_watch import LogWatch

HERE, THERE = TP("events.purchases", 0), TP("events.purchases", 1)


@dataclass
class Log:
    """A log whose records tell which of two topics of one name they are of, and a consumer that reads it."""

    crc: int = 1
    is_away: bool = False
    silent: Collection[TP] = ()
    first: dict[TP, LogPosition] = field(default_factory=dict)
    last: dict[TP, LogPosition] = field(default_factory=dict)

    async def compare(self, read: Mapping[TP, LogPosition]) -> Collection[TP]:
        if self.is_away:
            raise KafkaConnectionError
        answered = read.keys() - set(self.silent)
        if any(read[tp].last_crc32 != self.crc for tp in answered):
            raise LogRecreatedError("another record")
        return answered

    def read(self, tp: TP, offset: int) -> None:
        """Records up to an offset are read."""
        self.last[tp] = LogPosition(offset, 1, self.crc)
        self.first.setdefault(tp, self.last[tp])

    def read_of(self) -> tuple[Mapping[TP, LogPosition], Mapping[TP, LogPosition]]:
        return dict(self.first), dict(self.last)

    def is_replaced_and_read_on(self, *tps: TP) -> None:
        self.crc = 2
        for tp in tps:
            self.read(tp, 90)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def watch(log: Log) -> LogWatch:
    return LogWatch(log.compare, log.read_of)


async def is_refused(watch: LogWatch) -> None:
    """At the second look that finds it so."""
    await watch.look()
    with pytest.raises(LogRecreatedError):
        await watch.look()


async def test_a_log_that_is_replaced_between_two_looks_is_found_out_though_it_is_read_on(log, watch) -> None:
    log.read(HERE, 20)
    await watch.look()
    log.is_replaced_and_read_on(HERE)
    await is_refused(watch)


async def test_so_is_one_that_is_replaced_before_the_first_look(log, watch) -> None:
    log.read(HERE, 20)
    log.is_replaced_and_read_on(HERE)
    await is_refused(watch)


async def test_so_is_one_of_which_nothing_was_read_since_it_was_assigned(log, watch) -> None:
    watch.note({HERE: LogPosition(20, 1, log.crc)})
    await watch.look()
    log.is_replaced_and_read_on(HERE)
    await is_refused(watch)


async def test_while_kafka_does_not_answer_nothing_newer_is_taken_for_the_truth(log, watch) -> None:
    log.read(HERE, 20)
    log.read(THERE, 20)
    await watch.look()
    log.is_replaced_and_read_on(HERE)
    log.is_away = True
    await watch.look()
    log.is_away, log.silent = False, [HERE, THERE]
    await watch.look()
    log.silent = [THERE]
    await is_refused(watch)


async def test_what_goes_to_another_worker_is_not_looked_at_any_more(log, watch) -> None:
    log.read(HERE, 20)
    await watch.look()
    watch.forget()
    log.first.clear()
    log.last.clear()
    log.crc = 2
    await watch.look()


async def test_what_a_new_leader_told_for_a_moment_refuses_nothing(log, watch) -> None:
    log.read(HERE, 20)
    await watch.look()
    for _ in range(3):
        log.crc = 2
        await watch.look()
        log.crc = 1
        await watch.look()


async def test_a_kafka_that_is_away_while_it_is_asked_leaves_nothing_open() -> None:
    left: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: left.append(context["message"]))
    with pytest.raises(KafkaConnectionError):
        await compare_logs([f"127.0.0.1:{free_port()}"], {HERE: LogPosition(20)})
    gc.collect()
    assert left == []
