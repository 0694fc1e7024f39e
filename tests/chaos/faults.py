"""What can befall a deployment. Each fault is a block: broken within, mended at its end.

Whoever was killed is started again when everything is mended.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass

import redis

from tests.chaos.shop import Shop, ask_to_end, require_orderly_end
from tests.hurting import Snapshot, again, fill_disk, frozen
from tests.integration.processes import SESSION_TIMEOUT_MS, TestedProcess, eventually
from tests.line import Line

SESSION_S = SESSION_TIMEOUT_MS["apache"] / 1000
SLOW_S = 0.02
STARTED_WITHIN_S = 15.0


@dataclass(frozen=True)
class Fault:
    """One way to break a deployment.

    Attributes:
        hits: whom: two faults of one target never come together.
        holds_s: for how long at least and at most.
        broken: the block in which it is broken.
    """

    hits: str
    holds_s: tuple[float, float]
    broken: Callable[[Shop], AbstractContextManager[None]]


@contextmanager
def _worker_killed(shop: Shop) -> Iterator[None]:
    victim = shop.any_worker()
    shop.running.kill(victim)
    shop.workers.remove(victim)
    yield


@contextmanager
def _worker_asked_to_leave(shop: Shop) -> Iterator[None]:
    leaver = shop.any_worker()
    shop.workers.remove(leaver)
    ask_to_end(leaver)
    yield
    require_orderly_end(leaver)
    shop.running.processes.remove(leaver)


@contextmanager
def _worker_asleep(shop: Shop) -> Iterator[None]:
    with frozen(shop.any_worker()):
        yield


@contextmanager
def _workers_restarted_in_turn(shop: Shop) -> Iterator[None]:
    """The next leaves when another works in place of the one before; where that cannot start, the rest stay."""
    for leaver in tuple(shop.workers):
        shop.workers.remove(leaver)
        ask_to_end(leaver)
        require_orderly_end(leaver)
        shop.running.processes.remove(leaver)
        shop.restart_missing()
        if not _works(shop.workers[-1]):
            break
    yield


def _works(started: TestedProcess) -> bool:
    """Wait until it has a partition; False when another fault keeps it from that."""
    with suppress(AssertionError):
        eventually(lambda: started.has_ended() or started.said("lane started"), STARTED_WITHIN_S)
    return bool(started.said("lane started"))


@contextmanager
def _two_workers_asleep(shop: Shop) -> Iterator[None]:
    one, two = shop.dice.sample(shop.workers, 2)
    with frozen(one), frozen(two):
        yield


@contextmanager
def _learner_killed(shop: Shop) -> Iterator[None]:
    shop.running.kill(shop.learner)
    yield


@contextmanager
def _silent(line: Line) -> Iterator[None]:
    line.is_silent = True
    yield
    line.is_silent = False


@contextmanager
def _slow(line: Line) -> Iterator[None]:
    line.delay_s = SLOW_S
    yield
    line.delay_s = 0.0


@contextmanager
def _cut_off(line: Line) -> Iterator[None]:
    line.cut()
    yield


@contextmanager
def _answers_lost(line: Line) -> Iterator[None]:
    line.loses_answers = True
    yield
    line.loses_answers = False


@contextmanager
def _redis_killed(shop: Shop) -> Iterator[None]:
    shop.redis.kill()
    yield
    again(shop.redis)


@contextmanager
def _redis_without_memory(shop: Shop) -> Iterator[None]:
    with redis.Redis.from_url(shop.redis.address) as client:
        client.config_set("maxmemory", 1)
        yield
        client.config_set("maxmemory", 0)


@contextmanager
def _redis_with_another_password(shop: Shop) -> Iterator[None]:
    with redis.Redis.from_url(shop.redis.address) as client:
        client.config_set("requirepass", "another")
        client.client_kill_filter(_type="normal", skipme=True)
        yield
        client.config_set("requirepass", "")


@contextmanager
def _redis_older(shop: Shop) -> Iterator[None]:
    older = Snapshot(shop.redis, shop.folder / f"older-{shop.dice.getrandbits(64):x}")
    yield
    older.restore()


@contextmanager
def _redis_failed_over(shop: Shop) -> Iterator[None]:
    """To a replica that has missed what came in the meantime."""
    replica = shop.another_redis()
    replica.start()
    replica.wait_until_ready()
    with redis.Redis.from_url(replica.address) as client, Line(shop.redis.port) as replication:
        client.replicaof("127.0.0.1", replication.own_port)
        eventually(lambda: client.info("replication")["master_link_status"] == "up", what="the replica has a copy")
        replication.is_silent = True
        yield
        shop.redis.kill()
        client.replicaof("NO", "ONE")
    shop.redis = replica
    shop.line.lead_to(replica.port)


@contextmanager
def _kafka_frozen(shop: Shop) -> Iterator[None]:
    with frozen(shop.kafka):
        yield


@contextmanager
def _kafka_killed(shop: Shop) -> Iterator[None]:
    shop.kafka.kill()
    yield
    again(shop.kafka)


@contextmanager
def _kafka_without_disk(shop: Shop) -> Iterator[None]:
    fill_disk(shop.kafka)
    yield
    shop.kafka.wait()
    again(shop.kafka)


FAULTS: Mapping[str, Fault] = {
    "worker killed": Fault("worker", (0.0, 3.0), _worker_killed),
    "worker asked to leave": Fault("worker", (0.0, 3.0), _worker_asked_to_leave),
    "worker asleep": Fault("worker", (0.5, 3 * SESSION_S), _worker_asleep),
    "workers restarted in turn": Fault("worker", (0.0, 0.0), _workers_restarted_in_turn),
    "two workers asleep": Fault("worker", (1.5 * SESSION_S, 3 * SESSION_S), _two_workers_asleep),
    "learner killed": Fault("learner", (0.0, 3.0), _learner_killed),
    "redis silent": Fault("redis", (0.5, 3 * SESSION_S), lambda shop: _silent(shop.line)),
    "redis slow": Fault("redis", (2.0, 4.0), lambda shop: _slow(shop.line)),
    "redis cut off": Fault("redis", (0.0, 0.5), lambda shop: _cut_off(shop.line)),
    "redis answers lost": Fault("redis", (0.5, 2.0), lambda shop: _answers_lost(shop.line)),
    "redis killed": Fault("redis", (0.0, 2.0), _redis_killed),
    "redis without memory": Fault("redis", (0.5, 3.0), _redis_without_memory),
    "redis with another password": Fault("redis", (0.5, 3.0), _redis_with_another_password),
    "redis older": Fault("redis", (1.0, 5.0), _redis_older),
    "redis failed over": Fault("redis", (1.0, 4.0), _redis_failed_over),
    "kafka slow": Fault("kafka", (2.0, 4.0), lambda shop: _slow(shop.kafka_line)),
    "kafka cut off": Fault("kafka", (0.0, 0.5), lambda shop: _cut_off(shop.kafka_line)),
    "kafka answers lost": Fault("kafka", (0.5, 2.0), lambda shop: _answers_lost(shop.kafka_line)),
    "kafka frozen": Fault("kafka", (0.5, 3 * SESSION_S), _kafka_frozen),
    "kafka killed": Fault("kafka", (0.0, 2.0), _kafka_killed),
    "kafka without disk": Fault("kafka", (0.0, 2.0), _kafka_without_disk),
}
"""A new fault is one entry."""
