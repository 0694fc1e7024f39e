"""Every model document that was ever in force: the registry keeps the newest few, a recomputation needs them all."""

from collections.abc import Mapping
from contextlib import suppress

import redis

from stream.chunk import Models
from stream.features.layout import LAYOUT
from stream.redis_store import keys
from stream.scoring.documents import SEGMENTS_NAME, decode
from stream.signing import Keyring, open_sealed
from stream.worker.model_watch import model_names
from tests.background import InBackground
from tests.integration.processes import MODEL_KEYS

LOOK_EVERY_S = 0.2


class KeptModels(InBackground):
    """A thread that copies each published document, as long as Redis answers."""

    def __init__(self, redis_url: str) -> None:
        super().__init__()
        self._url = redis_url
        self._sealed: dict[tuple[str, str], bytes] = {}

    def __len__(self) -> int:
        """How many there were."""
        return len(self._sealed)

    def _run(self) -> None:
        while not self._closing.wait(LOOK_EVERY_S):
            with suppress(redis.RedisError), redis.Redis.from_url(self._url, socket_timeout=1) as client:
                for name in model_names():
                    for version in client.lrange(keys.model_versions(name), 0, -1):
                        place = name, version.decode()
                        if place not in self._sealed and (sealed := client.get(keys.model(*place))):
                            self._sealed[place] = sealed

    def of(self, versions: Mapping[str, str]) -> Models:
        """The documents that a journal entry names."""
        opened = {
            name: decode(open_sealed(self._sealed[name, version], Keyring.from_text(MODEL_KEYS)), LAYOUT)
            for name, version in versions.items()
            if version
        }
        segments = opened.pop(SEGMENTS_NAME, None)
        return Models(opened, segments)
