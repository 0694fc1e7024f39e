"""From the bytes of a source topic to values, by the format the map says; schemas are asked for as they turn up."""

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog

from schemas.rejection import Rejection
from stream.ingest.formats.avro_values import read_avro, schema_ids
from stream.ingest.formats.json_values import read_json
from stream.ingest.formats.registry import RegistryUnavailableError, Schema, SchemaRegistry
from stream.ingest.sending import AbandonedError
from stream.metrics import ingest as metrics

RETRY_FIRST_S, RETRY_AT_MOST_S = 0.2, 10.0
ABSENT_FOR_S = 60.0  # a schema that was not there may be by then
ABSENT_MAX = 1_000  # garbage names any schema: what is not there is not remembered without end

log = structlog.get_logger()


class SourceDecoder:
    """Decodes chunks of one topic at a time.

    Args:
        registry: of schemas; None where no source is Avro.
        is_stopping: whether to give up rather than wait for a registry that is away.
    """

    def __init__(self, registry: SchemaRegistry | None, is_stopping: Callable[[], bool]) -> None:
        self._registry, self._is_stopping = registry, is_stopping
        self._schemas: dict[int, Schema] = {}
        self._absent: dict[int, tuple[float, Schema]] = {}

    async def values(self, form: str, raw: Sequence[bytes | None]) -> list[object]:
        """What each record holds, or a `Rejection`.

        Raises:
            AbandonedError: the process is to end, and the registry does not answer.
        """
        if form == "json" or self._registry is None:
            return read_json(raw)
        schemas = {schema_id: await self._schema(self._registry, schema_id) for schema_id in schema_ids(raw)}
        return read_avro(raw, schemas)

    async def _schema(self, registry: SchemaRegistry, schema_id: int) -> Schema:
        known = self._schemas.get(schema_id)
        if known is not None:
            return known
        seen_s, absent = self._absent.get(schema_id, (0.0, None))
        if absent is not None and time.monotonic() - seen_s < ABSENT_FOR_S:
            return absent
        found = await self._asked(registry, schema_id)
        if isinstance(found, Rejection):
            if len(self._absent) >= ABSENT_MAX:
                self._absent.clear()
            self._absent[schema_id] = time.monotonic(), found
        else:
            self._schemas[schema_id] = found
        return found

    async def _asked(self, registry: SchemaRegistry, schema_id: int) -> Schema:
        """Ask until the registry answers: records wait for it, and the group waits with them."""
        delay_s = RETRY_FIRST_S
        while True:
            try:
                return await asyncio.to_thread(registry.schema, schema_id)
            except RegistryUnavailableError as error:
                metrics.RETRIES.labels("registry").inc()
                log.warning("the schema registry does not answer, trying until it does", error=str(error))
                if self._is_stopping():
                    raise AbandonedError from error
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, RETRY_AT_MOST_S)
