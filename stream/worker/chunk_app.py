"""The Faust application both processes run on: subscribe, seek, and hand over fetched chunks."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import faust
from faust.serializers import codecs
from faust.tables.manager import TableManager
from faust.types import TP
from mode.supervisors import CrashingSupervisor

from stream.worker.consumer_thread import FAUST_LOGGER
from stream.worker.fetched import Fetched
from stream.worker.pace import at_least_s
from stream.worker.transport import ChunkConsumer, ChunkTransport, GatherFor, PositionsOf

SEEK_MAY_WAIT_S = 3600.0  # a seek waits for Redis to answer; Faust gives it up after the broker request timeout
HEARTBEAT_AT_LEAST_EVERY_S = 0.5  # a member hears of a rebalance at its next heartbeat, and lanes stand still meanwhile
FETCH_BYTES = 9_000_000  # the largest input message is 8 MB, plus its batch header

Deliver = Callable[[Fetched], Awaitable[None]]
Assigned = Callable[[set[TP]], Awaitable[None]]


class _Identity(codecs.Codec):  # type: ignore[misc]  # Faust has no types for us
    """A fetched chunk is handed over as it is; decoding is the core's business."""

    def _loads(self, s: Any) -> Any:
        return s

    def _dumps(self, s: Any) -> Any:
        return s


codecs.register("ebb-identity", _Identity())


class NoTables(TableManager):  # type: ignore[misc]  # Faust has no types for us
    """What Faust starts for tables, which also seeks after each assignment. There are none to wait a second for."""

    logger = FAUST_LOGGER

    async def on_start(self) -> None:
        """As Faust does after that second."""
        await self._update_channels()
        await self.recovery.start()


class ChunkApp(faust.App):  # type: ignore[misc]  # Faust has no types for us
    """A Faust application that keeps nothing on disk."""

    logger = FAUST_LOGGER
    stopping: Callable[[], Awaitable[None]]

    async def on_stop(self) -> None:
        """Stop the process's own tasks before the consumer goes."""
        await self.stopping()
        await super().on_stop()

    def crash_soon(self, failure: BaseException | None) -> None:
        """`crash`, from where nobody can wait for it."""
        self._crashing = asyncio.ensure_future(self.crash(failure))

    def _create_directories(self) -> None:
        """Faust would make a data folder for tables; there are none."""

    @property
    def chunk_consumer(self) -> ChunkConsumer:
        """The running consumer."""
        return cast(ChunkConsumer, self.consumer)


@dataclass(frozen=True)
class Membership:
    """The consumer group a process belongs to, and where; an instance id makes it a static member."""

    group: str
    servers: tuple[str, ...]
    session_timeout_ms: int
    instance_id: str = ""


@dataclass(frozen=True)
class Subscription:
    """What a process reads and where it hands the chunks.

    `gather_s` says for how long the broker gathers records while they come.
    """

    membership: Membership
    topics: Sequence[str]
    positions_of: PositionsOf
    deliver: Deliver
    revoked: Assigned
    stopping: Callable[[], Awaitable[None]]
    gather_s: GatherFor = at_least_s


def chunk_app(subscription: Subscription, loop: asyncio.AbstractEventLoop) -> ChunkApp:
    """Build the application; `stream.worker.running` starts it."""
    app = _app(subscription.membership, loop)
    app.stopping = subscription.stopping
    asked = {"positions_of": staticmethod(subscription.positions_of), "gather_s": staticmethod(subscription.gather_s)}
    consumer = type("BoundChunkConsumer", (ChunkConsumer,), asked)
    transport = type("BoundChunkTransport", (ChunkTransport,), {"Consumer": consumer})
    app.transport = transport(app.conf.broker_consumer, app)
    topic = app.topic(
        *subscription.topics,
        key_serializer="ebb-identity",
        value_serializer="ebb-identity",
        acks=False,
        allow_empty=True,
    )

    @app.agent(topic, name="deliver")  # type: ignore[untyped-decorator]
    async def deliver(fetches: Any) -> None:
        async for fetched in fetches.noack():
            for chunk in fetched:
                await subscription.deliver(chunk)

    @app.on_partitions_revoked.connect  # type: ignore[untyped-decorator]
    async def revoked(_: Any, partitions: set[TP], **_options: Any) -> None:
        await subscription.revoked({TP(*tp) for tp in partitions})

    return app


def _app(membership: Membership, loop: asyncio.AbstractEventLoop) -> ChunkApp:
    session_timeout_s = membership.session_timeout_ms / 1000
    return ChunkApp(
        membership.group,
        broker=[f"kafka://{server}" for server in membership.servers],
        loop=loop,
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        agent_supervisor=CrashingSupervisor,
        TableManager=NoTables,
        broker_session_timeout=session_timeout_s,
        broker_heartbeat_interval=min(session_timeout_s / 5, HEARTBEAT_AT_LEAST_EVERY_S),
        consumer_group_instance_id=membership.instance_id or None,
        broker_request_timeout=SEEK_MAY_WAIT_S,
        broker_max_poll_interval=SEEK_MAY_WAIT_S,
        broker_max_poll_records=None,
        broker_commit_interval=3600.0,
        consumer_max_fetch_size=FETCH_BYTES,
        stream_wait_empty=False,
        stream_buffer_maxsize=64,
        stream_recovery_delay=0.0,
    )
