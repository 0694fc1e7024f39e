"""The model that serves an outcome now, as Redis has it."""

import asyncio

from stream.features.layout import LAYOUT
from stream.redis_store.registry import RedisModelStore
from stream.scoring.documents import OutcomeDocument, decode
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
        document = decode(open_sealed(await store.fetch(outcome, champions[outcome][0]), keyring), LAYOUT)
        return document if isinstance(document, OutcomeDocument) else None
    finally:
        await store.close()
