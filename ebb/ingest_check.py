"""What a map makes of samples, for a person who writes one."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from schemas.rejection import Rejection
from stream.errors import EbbError
from stream.ingest.formats.avro_values import read_avro, schema_ids
from stream.ingest.formats.json_values import read_json
from stream.ingest.mapping.declaration import SourceSpec
from stream.ingest.mapping.records import MappedEvent, SourceRecord
from stream.ingest.plan import IngestPlan
from stream.settings.ingest import IngestSettings


class SampleError(EbbError):
    """A file of samples cannot be read, or it is not clear of which source they are."""


@dataclass(frozen=True)
class Checked:
    """What becomes of one sample.

    Attributes:
        sample: file and number, from 1 on.
        events: what it gives.
        refused: why it would be a dead letter, or None.
    """

    sample: str
    events: Sequence[MappedEvent]
    refused: Rejection | None

    def as_json(self) -> bytes:
        """For scripts: sample, events with topic, key, partition and value, and the refusal."""
        events = [
            {
                "topic": event.topic,
                "key": event.key.decode(),
                "partition": event.partition,
                "value": msgspec.Raw(event.value),
            }
            for event in self.events
        ]
        return msgspec.json.encode({"sample": self.sample, "events": events, "refused": self.refused})


def check_samples(
    settings: IngestSettings, map_file: Path, samples: Sequence[Path], topic: str | None
) -> list[Checked]:
    """Map samples as records that Kafka has got now; nothing is sent.

    Raises:
        EbbError: the map, a setting or a file is wrong, or the schema registry does not answer.
    """
    from ebb.compose.ingest import ingest_plan  # noqa: PLC0415 - it loads the Kafka client

    plan = ingest_plan(settings, map_file)
    source = _source(plan, topic)
    found = [(file, value) for file in samples for value in _values(file)]
    now_ms = time.time_ns() // 1_000_000
    records = [SourceRecord(source.topic, 0, place, now_ms, None, value) for place, (_, value) in enumerate(found)]
    mapped = plan.mapper.map(records, _decoded(plan, [value for _, value in found]), now_ms)
    refused = {each.place: each.rejection for each in mapped.refused}
    return [
        Checked(_named(found, place), [each for each in mapped.events if each.place == place], refused.get(place))
        for place in range(len(found))
    ]


def described(checked: Checked) -> str:
    """The result for a reader."""
    lines = [checked.sample]
    for event in checked.events:
        lines.append(f"  {event.kind} to {event.topic}, partition {event.partition}, key {event.key.decode()}")
        lines.append(f"    {event.value.decode()}")
    if checked.refused:
        lines.append(f"  refused, {checked.refused.reason}: {checked.refused.detail}")
    elif not checked.events:
        lines.append("  ignored: no [[event]] applies to it")
    return "\n".join(lines)


def _source(plan: IngestPlan, topic: str | None) -> SourceSpec:
    sources = plan.map.sources
    if topic is None and len(sources) == 1:
        return next(iter(sources.values()))
    if topic is None or topic not in sources:
        said = "The map has several sources" if topic is None else f"The map has no source {topic!r}"
        raise SampleError(f"{said}: say with --topic which one the samples are of, one of {', '.join(sources)}.")
    return sources[topic]


def _values(file: Path) -> Iterator[bytes]:
    """The records of a file: an Avro one as it is, each element of an array, each line, or the whole."""
    text = file.read_bytes()
    if text[:1] == b"\0":
        yield text
        return
    try:
        whole = msgspec.json.decode(text, type=msgspec.Raw)
    except msgspec.DecodeError:
        yield from (line for line in text.splitlines() if line.strip())
        return
    if text.lstrip()[:1] == b"[":
        yield from (bytes(each) for each in msgspec.json.decode(text, type=list[msgspec.Raw]))
    else:
        yield bytes(whole)


def _decoded(plan: IngestPlan, values: Sequence[bytes]) -> list[object]:
    """JSON, also of an Avro source: the value as one would write it down. Framed bytes go through the registry."""
    if plan.registry is None:
        return read_json(values)
    registry = plan.registry
    framed = [value for value in values if value[:1] == b"\0"]
    schemas = {schema_id: registry.schema(schema_id) for schema_id in schema_ids(framed)}
    return [read_avro([value], schemas)[0] if value[:1] == b"\0" else read_json([value])[0] for value in values]


def _named(found: Sequence[tuple[Path, bytes]], place: int) -> str:
    """File and number of a sample."""
    file = found[place][0]
    number = 1 + sum(earlier == file for earlier, _ in found[:place])
    alone = sum(each == file for each, _ in found) == 1
    return str(file) if alone else f"{file}, record {number}"
