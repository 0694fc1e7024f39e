"""Which clock a deployment runs on, and when it may be switched to the other one."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from offline.broker import CONNECT_WITHIN_MS, broker_errors, readable_ends
from schemas.topics import CLOCK
from stream.errors import SettingError
from stream.redis_store.deployment import stored_deployment, switch_clock
from stream.redis_store.inspection import applied_positions, stream_times
from stream.settings.worker import WorkerSettings


@dataclass(frozen=True)
class ClockMode:
    """The clock of a deployment: its mode, stream time per partition in ms, and clock records not yet applied."""

    clock: str
    stream_time_ms: dict[int, int]
    clock_records_waiting: int


def clock_mode(settings: WorkerSettings) -> ClockMode:
    """What Redis and the log of the clock say.

    Raises:
        EbbError: Redis or Kafka is away, or no worker has ever started.
    """
    stored = stored_deployment(settings.redis_url)
    applied = applied_positions(settings.redis_url)
    ends = readable_ends(settings.kafka_servers, [CLOCK])
    waiting = sum(max(0, end - applied.get(place, 0)) for place, end in ends.items())
    return ClockMode(stored.clock, stream_times(settings.redis_url), waiting)


def switch(settings: WorkerSettings, clock: str) -> bool:
    """Put a deployment on another clock; False when it runs on that one already.

    From `replay` to `live` when the replay has ended: its last clock record is applied on every partition. Back only
    while nothing has been applied, because stream time never falls. Never while workers run.

    Raises:
        SettingError: it may not be switched now; the message says why and what to do.
        EbbError: Redis or Kafka is away, or no worker has ever started.
    """
    mode = clock_mode(settings)
    if mode.clock == clock:
        return False
    if clock == "replay" and any(mode.stream_time_ms.values()):
        raise SettingError(
            "This deployment has run on the live clock, and its time does not go back to that of a history. "
            "Replay into an empty Redis (EBB_REDIS_URL)."
        )
    if clock == "live" and mode.clock_records_waiting:
        raise SettingError(
            f"The replay has not ended: {mode.clock_records_waiting:,} clock records of {CLOCK} are not applied. "
            "Let `ebb worker` with EBB_CLOCK=replay finish, then try again."
        )
    running = members(settings.kafka_servers, settings.worker_group)
    if running:
        raise SettingError(
            f"{running} workers of group {settings.worker_group} are running on the {mode.clock} clock. "
            "Stop them and the learner, then try again."
        )
    switch_clock(settings.redis_url, clock)
    return True


def members(servers: Sequence[str], group: str) -> int:
    """How many processes are in a consumer group; 0 also where the broker does not tell, as the embedded one."""
    with broker_errors(servers):
        admin = KafkaAdminClient(bootstrap_servers=list(servers), bootstrap_timeout_ms=CONNECT_WITHIN_MS)
    with closing(admin):
        try:
            described = admin.describe_groups([group])
        except (KafkaError, ValueError):  # the embedded broker's answer is none that the client understands
            return 0
    return len(described[group]["members"])
