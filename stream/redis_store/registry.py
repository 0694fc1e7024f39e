"""Models and learners on Redis. Documents are sealed bytes here; who reads them checks signature and layout."""

from collections.abc import Sequence
from typing import Any

from stream.errors import LayoutError, ModelRefusedError
from stream.ports import CHALLENGERS_AT_MOST, refuse_overtaken
from stream.redis_store import keys
from stream.redis_store.asking import Command
from stream.redis_store.client import async_client, explaining, is_cluster

VERSIONS_KEPT = 50  # seven weeks of daily epochs to look back or roll back on, at some 10 kB each
OFFSET_DIGITS = 19  # of 64 bits, as Kafka has them
RESERVED_VERSIONS = ("champion", "versions")  # their keys would be those of the registry itself


class RedisModelStore:
    """`ModelStore` on Redis. Laws: tests/laws/. Any number of readers; each name has one writer, the learner."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._redis = async_client(url)

    async def champions(self, names: Sequence[str]) -> dict[str, tuple[str, int]]:
        """The versions in force, in one round trip."""
        with explaining(self._url):
            async with self._redis.pipeline(transaction=False) as pipeline:
                for name in names:
                    pipeline.hmget(keys.model_champion(name), ["version", "epoch_day"])
                found = await pipeline.execute(raise_on_error=False)
            in_force = {name: _in_force(name, reply) for name, reply in zip(names, found, strict=True)}
        return {name: each for name, each in in_force.items() if each is not None}

    async def fetch(self, name: str, version: str) -> bytes:
        """A stored document."""
        with explaining(self._url):
            sealed: Any = await self._redis.get(keys.model(name, version))
        if sealed is None or version in RESERVED_VERSIONS:
            raise ModelRefusedError(
                f"There is no version {version!r} of model {name!r} in Redis; the newest {VERSIONS_KEPT} are kept."
            )
        return bytes(sealed)

    async def versions(self, name: str) -> list[str]:
        """The stored versions of a model, the longest unused first."""
        with explaining(self._url):
            stored: list[Any] = await self._redis.lrange(keys.model_versions(name), 0, -1)
        return [_text(version) for version in stored]

    async def publish(self, name: str, version: str, sealed: bytes | None, epoch_day: int) -> None:
        """Store the document, put it in force and drop versions beyond the bound.

        All in one transaction; in a cluster, where the keys are on several nodes, in an order in which any beginning
        may stand: no version is listed or in force without its document.
        """
        if version in RESERVED_VERSIONS:
            raise ValueError(f"A model version cannot be called {version!r}.")
        if sealed is None:
            await self.fetch(name, version)
        with explaining(self._url):
            entries: list[Any] = await self._redis.lrange(keys.model_versions(name), 0, -1)
            in_use_order = [entry for entry in map(_text, entries) if entry != version] + [version]
            commands: list[Command] = [
                *([("SET", keys.model(name, version), sealed)] if sealed is not None else []),
                *self._listed(keys.model_versions(name), in_use_order[-VERSIONS_KEPT:]),
                *([] if is_cluster(self._url) else [("DEL", keys.model_champion(name))]),  # whatever it was
                ("HSET", keys.model_champion(name), "version", version, "epoch_day", epoch_day),
                *(("DEL", keys.model(name, old)) for old in in_use_order[:-VERSIONS_KEPT]),
            ]
            await self._in_order(commands)

    def _listed(self, key: bytes, versions: Sequence[str]) -> list[Command]:
        """Make `versions` the list, the last of them anew; in a cluster without a moment at which it is empty."""
        if is_cluster(self._url):
            return [("LREM", key, 0, versions[-1]), ("RPUSH", key, versions[-1]), ("LTRIM", key, -len(versions), -1)]
        return [("DEL", key), ("RPUSH", key, *versions)]

    async def _in_order(self, commands: Sequence[Command]) -> None:
        if is_cluster(self._url):
            for command in commands:
                await self._redis.execute_command(*command)
            return
        async with self._redis.pipeline(transaction=True) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            await pipeline.execute()

    async def fetch_challenger(self, outcome: str, name: str) -> bytes:
        """A challenger's document."""
        with explaining(self._url):
            (sealed,) = await self._redis.hmget(keys.challengers(outcome), [name])
        if sealed is None:
            raise ModelRefusedError(f"There is no challenger {name!r} of {outcome!r} in Redis. Publish it again.")
        return bytes(sealed)

    async def publish_challenger(self, outcome: str, name: str, sealed: bytes) -> None:
        """Store a challenger's document; two who publish at once may exceed the bound by one."""
        with explaining(self._url):
            stored: list[Any] = await self._redis.hkeys(keys.challengers(outcome))
            if name.encode() not in stored and len(stored) >= CHALLENGERS_AT_MOST:
                there = ", ".join(sorted(each.decode() for each in stored))
                raise ModelRefusedError(
                    f"There are {CHALLENGERS_AT_MOST} challengers of {outcome!r} already: {there}. Withdraw one first."
                )
            await self._redis.hset(keys.challengers(outcome), name, sealed)

    async def withdraw_challenger(self, outcome: str, name: str) -> None:
        """Drop a challenger's document."""
        with explaining(self._url):
            await self._redis.hdel(keys.challengers(outcome), name)

    async def forget(self, name: str) -> None:
        """Drop all versions of a model, which of them is in force, and its learner."""
        versions = await self.versions(name)
        with explaining(self._url):
            named = keys.learner(name), keys.challengers(name), keys.model_champion(name)
            for key in (*named, *(keys.model(name, each) for each in versions)):
                await self._redis.delete(key)
            await self._redis.delete(keys.model_versions(name))  # last: it names what is left after an interruption

    async def load_learner(self, name: str) -> tuple[int, bytes] | None:
        """Offset and state as saved together."""
        with explaining(self._url):
            saved: list[Any] = await self._redis.hmget(keys.learner(name), ["next_offset", "state"])
        if saved == [None, None]:
            return None
        next_offset, state = saved
        if state is None or not _is_offset(next_offset):
            raise LayoutError(
                f"The key {keys.learner(name).decode()} in Redis is no learner's: it says next_offset "
                f"{_shown(next_offset)} and has {'no' if state is None else 'a'} state. Delete it; the learner then "
                "learns anew from the labels that come."
            )
        return int(next_offset), state

    async def save_learner(self, name: str, next_offset: int, state: bytes, metrics: bytes) -> None:
        """Save offset, state and metrics in one HSET, a round trip after a look at what is there.

        Who falls asleep between the two may still go back, until the other saves again, which it may.
        """
        saved: dict[Any, Any] = {"next_offset": next_offset, "state": state, "metrics": metrics}
        with explaining(self._url):
            (there,) = await self._redis.hmget(keys.learner(name), ["next_offset"])
            if _is_offset(there):
                refuse_overtaken(name, int(there), next_offset)
            await self._redis.hset(keys.learner(name), mapping=saved)

    async def close(self) -> None:
        """Release the connections."""
        await self._redis.aclose()


def _is_offset(found: bytes | None) -> bool:
    return found is not None and found.isdigit() and len(found) <= OFFSET_DIGITS


def _text(version: bytes) -> str:
    """A version as it is listed, also one that another has written there."""
    return version.decode(errors="backslashreplace")


def _shown(found: bytes | None) -> str:
    """As much of what was found as a sentence takes."""
    return ascii(found) if found is None or len(found) <= 2 * OFFSET_DIGITS else f"of {len(found):,} bytes"


def _in_force(name: str, reply: Any) -> tuple[str, int] | None:
    """What the pointer of a model says; None where there is none.

    Raises:
        ModelRefusedError: it cannot be read.
    """
    if isinstance(reply, Exception):
        if not str(reply).startswith("WRONGTYPE"):
            raise reply
        raise _unreadable(name, "is no hash") from reply
    version, epoch_day = reply
    if version is None and epoch_day is None:
        return None
    try:
        return version.decode(), int(epoch_day)
    except (AttributeError, TypeError, ValueError) as error:
        raise _unreadable(name, f"says version {version!a} and epoch_day {epoch_day!a}") from error


def _unreadable(name: str, what: str) -> ModelRefusedError:
    return ModelRefusedError(
        f"The key {keys.model_champion(name).decode()} in Redis does not say which model is in force: it {what}. "
        "Delete it and start the learner again, which writes it anew."
    )
