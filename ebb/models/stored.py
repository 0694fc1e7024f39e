"""Model documents as Redis has them, verified."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from stream.errors import ModelRefusedError
from stream.features.layout import LAYOUT
from stream.redis_store.registry import RedisModelStore
from stream.scoring.documents import NO_DOCUMENT_YET, Document, OutcomeDocument, decode
from stream.signing import Keyring, open_sealed

Answer = TypeVar("Answer")


def asking(redis_url: str, ask: Callable[[RedisModelStore], Awaitable[Answer]]) -> Answer:
    """What the registry answers.

    Raises:
        StoreUnavailableError: Redis does not answer.
    """

    async def answered() -> Answer:
        store = RedisModelStore(redis_url)
        try:
            return await ask(store)
        finally:
            await store.close()

    return asyncio.run(answered())


def outcome_in_force(redis_url: str, keyring: Keyring, outcome: str) -> OutcomeDocument | None:
    """The document of an outcome that workers take up now; None before the first.

    Raises:
        StoreUnavailableError: Redis does not answer.
        ModelRefusedError: it is not what it should be (`fetched`).
    """
    document = asking(redis_url, lambda store: fetched(store, keyring, outcome, None))
    return document if isinstance(document, OutcomeDocument) else None


async def fetched(store: RedisModelStore, keyring: Keyring, name: str, version: str | None) -> Document | None:
    """The document of a version, or the one in force (None); None before the first.

    Raises:
        ModelRefusedError: it is not signed by a key of the ring, of another layout, or another model or version; or
            which is in force cannot be read.
    """
    if version is None:
        in_force = (await store.champions([name])).get(name)
        if in_force is None:
            return None
        version = in_force[0]
    sealed = await store.fetch(name, version)
    if not sealed and version == NO_DOCUMENT_YET:
        return None
    return opened(sealed, keyring, name, version)


def opened(sealed: bytes, keyring: Keyring, name: str, version: str) -> Document:
    """The document in an envelope from Redis, verified.

    Raises:
        ModelRefusedError: it is not signed by a key of the ring, of another layout, or another model or version.
    """
    try:
        document = decode(open_sealed(sealed, keyring), LAYOUT)
    except ModelRefusedError as error:
        raise ModelRefusedError(
            f"Version {version} of {name} in Redis is refused: {error} Workers keep the one before. Take the learner's "
            "keys (EBB_MODEL_KEYS), or start the learner again: it publishes anew what it has learned."
        ) from error
    if (document.name, document.version) != (name, version):
        raise ModelRefusedError(f"Model {name} {version} holds {document.name} {document.version}.")
    return document
