"""What all processes of a deployment agree on, kept in `meta`, and whether this Redis may be trusted with it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from redis import exceptions

from stream.errors import LayoutError, LogRecreatedError, RebuildingError, ReplacedError, SettingError
from stream.features.vocabulary import Vocabulary
from stream.outcomes.declaration import BUILT_IN, Outcome
from stream.ports import Deployment
from stream.redis_store.client import address, explaining, is_cluster, one_of_a_cluster, sync_client
from stream.redis_store.keys import META, partition_head

CLOCKS = ("replay", "live")
CLOCKS_APART_MS = 60_000  # synchronised ones are apart by some ms, those of another time zone by half an hour or more
REBUILDING = b"rebuilding"
"""Field of `meta` while Redis is being filled from an archive (stream/redis_store/restoring.py)."""
REPLACED = b"replaced"
"""Field of `meta` once a worker has seen that a log was replaced while it was read: what it has to say."""


def check_deployment(
    url: str, wanted: Deployment, *, require_append_only: bool = True, wall_ms: Callable[[], int] | None = None
) -> None:
    """Write `meta` at the first start; at every later one compare it with what this process is about to do.

    Args:
        url: of Redis.
        wanted: what this process is about to do.
        require_append_only: whether a Redis without an append-only file is refused.
        wall_ms: of this machine, ms since 1970, to be compared with that of Redis; None for who does not go by it.

    Raises:
        StoreUnavailableError: Redis cannot be reached or asks for other credentials.
        SettingError: another partition count, clock mode or list of names, an evicting policy, no append-only file, or
            another time.
        LayoutError: the stored records have another layout.
        LogRecreatedError: a worker has found a log replaced while it was read.
    """
    with explaining(url), sync_client(url) as client:
        _check_policies(client, url, require_append_only, wall_ms)
        with client.pipeline(transaction=True) as pipeline:
            pipeline.hsetnx(META, "partitions", wanted.partitions)
            pipeline.hsetnx(META, "clock", wanted.clock)
            pipeline.hsetnx(META, "layout", wanted.layout)
            pipeline.hsetnx(META, "vocabulary", msgspec.json.encode(wanted.vocabulary))
            pipeline.hsetnx(META, "outcomes", msgspec.json.encode(wanted.outcomes))
            pipeline.execute()
        fields = client.hgetall(META)
        stored = deployment_of(fields, url)
        refuse_rebuilding(fields, url)
        _refuse_replaced(fields)
        _compare(stored, wanted, url)
        if stored.outcomes != wanted.outcomes:  # what was asked before is waited for; from now on this is asked
            client.hset(META, "outcomes", msgspec.json.encode(wanted.outcomes))


def take_instance(url: str, instance_id: str, owner: str) -> None:
    """Say that `owner` runs under an instance id from now on; whoever did before ends when it looks."""
    with explaining(url), sync_client(url) as client:
        client.hset(META, _instance_field(instance_id), owner)


def check_instance(url: str, instance_id: str, owner: str) -> None:
    """See that nobody has started under our instance id since we did.

    Kafka gives the place of a static member to whoever asks last. Two workers that go on asking would take it from each
    other for ever, so the earlier one ends. A Redis that came back older than our start names nobody or the one before
    us; in the latter case we end too, and a new start puts it right.

    Raises:
        ReplacedError: somebody has.
    """
    with explaining(url), sync_client(url) as client:
        found: Any = client.hget(META, _instance_field(instance_id))
    if found is not None and found.decode() != owner:
        raise ReplacedError(
            f"Worker {found.decode()} was started after this one, {owner}, and has taken its place: both have "
            f"EBB_WORKER_INSTANCE_ID={instance_id!r}. If it is not the successor, give each worker an id of its own."
        )


def _instance_field(instance_id: str) -> str:
    return f"instance:{instance_id}"


def check_deployment_policies(url: str) -> None:
    """See that this Redis may be trusted with a deployment, whether it holds one or not.

    Raises:
        StoreUnavailableError: Redis cannot be reached or asks for other credentials.
        SettingError: an evicting policy, or no append-only file.
    """
    with explaining(url), sync_client(url) as client:
        _check_policies(client, url, require_append_only=True)


def refuse_rebuilding(fields: Any, url: str) -> None:
    """See that the fields of `meta` do not say that Redis is being filled from an archive.

    Raises:
        RebuildingError: they do.
    """
    if REBUILDING in fields:
        raise RebuildingError(
            f"Redis at {address(url)} is being rebuilt from an archive and is not whole. Wait for the command that "
            "does it. If it was interrupted, run it again: `ebb repartition`, or `ebb recover --replace`."
        )


def is_rebuilding(url: str) -> bool:
    """Whether Redis is being filled from an archive, or was when that was interrupted."""
    with explaining(url), sync_client(url) as client:
        return bool(client.hexists(META, REBUILDING))


def note_replaced_log(url: str, refusal: str) -> None:
    """Keep every process from starting on this Redis: records of a log that was replaced may have been passed over.

    Raises:
        StoreUnavailableError: Redis is away.
    """
    with explaining(url), sync_client(url) as client:
        client.hset(META, REPLACED, refusal)


def _refuse_replaced(fields: Any) -> None:
    if REPLACED in fields:
        raise LogRecreatedError(
            f"A worker has ended because {fields[REPLACED].decode()} It had read on in the new log by then: what lies "
            "there before it was passed over. To go on without that, `redis-cli HDEL meta replaced`."
        )


def read_deployment(client: Any, url: str) -> Deployment:
    """The deployment this Redis belongs to.

    Raises:
        SettingError: none; no worker has ever started on it.
    """
    return deployment_of(client.hgetall(META), url)


def stored_deployment(url: str) -> Deployment:
    """`read_deployment` for who has no client yet."""
    with explaining(url), sync_client(url) as client:
        return read_deployment(client, url)


def switch_clock(url: str, clock: str) -> None:
    """Change the clock mode of a deployment, then take every partition from whoever owns it.

    In one transaction; in a cluster one after another, to be repeated where it was interrupted.

    A worker that still runs can commit nothing from then on; it reads the mode when it claims a partition again.

    Raises:
        SettingError: no such mode, or no deployment.
    """
    if clock not in CLOCKS:
        raise SettingError(f"EBB_CLOCK={clock!r} is no clock mode. Choose one of {', '.join(CLOCKS)}.")
    with explaining(url), sync_client(url) as client:
        deployment = read_deployment(client, url)
        owner = f"the switch to the {clock} clock"
        with client.pipeline(transaction=not is_cluster(url)) as pipeline:
            if is_cluster(url):  # on several nodes: first the mode, so that whoever claims anew reads the new one
                client.hset(META, "clock", clock)
            else:
                pipeline.hset(META, "clock", clock)
            for partition in range(deployment.partitions):
                pipeline.hincrby(partition_head(partition), "version", 1)
                pipeline.hset(partition_head(partition), "owner", owner)
            pipeline.execute()


def deployment_of(fields: Any, url: str) -> Deployment:
    """The deployment that the fields of `meta` describe.

    Raises:
        SettingError: none; no worker has ever started on it.
    """
    stored = {name.decode(): value.decode() for name, value in fields.items()}
    if not {"partitions", "clock", "layout"} <= stored.keys():
        raise SettingError(
            f"Redis at {address(url)} holds no Ebb deployment: no worker has started on it. Start one (`ebb worker`, "
            "`make demo`), or set EBB_REDIS_URL to the Redis that is in use."
        )
    vocabulary = msgspec.json.decode(stored.get("vocabulary", "{}"), type=Vocabulary)
    outcomes = msgspec.json.decode(stored["outcomes"], type=tuple[Outcome, ...]) if "outcomes" in stored else BUILT_IN
    return Deployment(int(stored["partitions"]), stored["clock"], stored["layout"], vocabulary, outcomes)


def _compare(stored: Deployment, wanted: Deployment, url: str) -> None:
    where = f"Redis at {address(url)}"
    if stored.partitions != wanted.partitions:
        raise SettingError(
            f"EBB_PARTITIONS={wanted.partitions}, but {where} is of a deployment with {stored.partitions} partitions, "
            f"and every customer is stored under its partition. Set EBB_PARTITIONS={stored.partitions}; "
            "`ebb repartition` changes the number."
        )
    if stored.clock != wanted.clock:
        raise SettingError(
            f"EBB_CLOCK={wanted.clock}, but {where} runs on the {stored.clock} clock. "
            f"Set EBB_CLOCK={stored.clock}, or use another Redis."
        )
    if stored.layout != wanted.layout:
        raise other_layout(stored.layout, wanted.layout, url)
    if stored.outcomes != wanted.outcomes and wanted.clock == "replay":
        raise SettingError(
            f"EBB_OUTCOMES and EBB_OUTCOMES_FILE declare {', '.join(wanted.outcome_names)}, but {where} was first "
            f"started with {', '.join(stored.outcome_names)} or other definitions of these, and a replay keeps to what "
            "it began with. Declare the same, or replay into an empty Redis."
        )
    for field in Vocabulary.__struct_fields__:
        _compare_names(field, getattr(stored.vocabulary, field), getattr(wanted.vocabulary, field), where)


def _compare_names(field: str, stored: Sequence[str], wanted: Sequence[str], where: str) -> None:
    """A name's place in its list is what the records hold: another list would give them another meaning."""
    if tuple(stored) == tuple(wanted):
        return
    name, first = f"EBB_{field.upper()}", ",".join(stored)
    raise SettingError(
        f"{name}={','.join(wanted)!r}, but {where} was first started with {first!r}, and customers are stored with the "
        f"places of names in that list. Set {name}={first!r}, or replay into an empty Redis."
    )


def other_layout(stored: str, ours: str, url: str) -> LayoutError:
    """The error for records of another layout."""
    return LayoutError(
        f"Redis at {address(url)} holds records of layout {stored}, this version of Ebb has layout {ours}. "
        "Use the version that wrote them, or rebuild it from its archive: ebb recover --from FOLDER --replace."
    )


def _check_policies(client: Any, url: str, require_append_only: bool, wall_ms: Callable[[], int] | None = None) -> None:
    """INFO answers where CONFIG is forbidden, as hosted Redis does. A replica may be the one that is asked tomorrow."""
    if not is_cluster(url):
        fields = client.info()
        if fields.get("cluster_enabled"):
            raise one_of_a_cluster(url)
        _check_node(f"Redis at {address(url)}", fields, require_append_only)
        _check_time(f"Redis at {address(url)}", fields, wall_ms)
        return
    for node, fields in client.info(target_nodes=client.ALL_NODES).items():
        where = f"Redis at {node}, of the cluster at {address(url)},"
        _check_node(where, fields, require_append_only)
        _check_time(where, fields, wall_ms)


def _check_node(where: str, fields: Mapping[str, Any], require_append_only: bool) -> None:
    if fields.get("loading"):  # it says then that it keeps no append-only file, whatever is configured
        raise exceptions.BusyLoadingError("it is still loading its data")
    policy = fields.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise SettingError(
            f"{where} has maxmemory-policy {policy} and would forget customers when memory is short. "
            "Set it to noeviction: redis-cli CONFIG SET maxmemory-policy noeviction."
        )
    if require_append_only and not fields.get("aof_enabled"):
        raise SettingError(
            f"{where} keeps no append-only file and would lose everything since its last dump when it stops. "
            "Set it: redis-cli CONFIG SET appendonly yes, and appendfsync everysec in its configuration."
        )


def _check_time(where: str, fields: Mapping[str, Any], wall_ms: Callable[[], int] | None) -> None:
    """Stream time follows the wall of whoever has a partition, and never falls: what is fired early stays fired."""
    told_us = fields.get("server_time_usec")
    if wall_ms is None or told_us is None:
        return
    ours_ms, theirs_ms = wall_ms(), int(told_us) // 1000
    if abs(ours_ms - theirs_ms) > CLOCKS_APART_MS:
        raise SettingError(
            f"The clock of this machine says {_utc(ours_ms)}, and {where} {_utc(theirs_ms)}. On the live clock it says "
            "which deadlines have passed, and time does not go back. Set both by NTP and start again."
        )


def _utc(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
