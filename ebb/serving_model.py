"""The model that serves an outcome now, as Redis has it."""

import asyncio

from stream.errors import ModelRefusedError
from stream.features.layout import LAYOUT
from stream.redis_store.registry import RedisModelStore
from stream.scoring.documents import Document, OutcomeDocument, decode
from stream.signing import Keyring, open_sealed


def document_in_force(redis_url: str, keyring: Keyring, outcome: str) -> OutcomeDocument | None:
    """The document of an outcome that workers take up now; None before the first.

    Raises:
        StoreUnavailableError: Redis does not answer.
        ModelRefusedError: it is not signed by a key of the ring, or of another layout.
    """
    return asyncio.run(_document_in_force(redis_url, keyring, outcome))


async def _document_in_force(redis_url: str, keyring: Keyring, outcome: str) -> OutcomeDocument | None:
    store = RedisModelStore(redis_url)
    try:
        champions = await store.champions([outcome])
        if outcome not in champions:
            return None
        version = champions[outcome][0]
        document = opened(await store.fetch(outcome, version), keyring, outcome, version)
        return document if isinstance(document, OutcomeDocument) else None
    finally:
        await store.close()


def opened(sealed: bytes, keyring: Keyring, name: str, version: str) -> Document:
    """The document in an envelope from Redis, verified.

    Raises:
        ModelRefusedError: it is not signed by a key of the ring, of another layout, or another model or version.
    """
    document = decode(open_sealed(sealed, keyring), LAYOUT)
    if (document.name, document.version) != (name, version):
        raise ModelRefusedError(f"Model {name} {version} holds {document.name} {document.version}.")
    return document
