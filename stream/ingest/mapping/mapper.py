"""A map at work on a batch: events that Ebb accepts, each with its topic, key and partition, or why there is none.

Every event is read by the product's own decoder before it is sent: what a worker would refuse is refused here.
"""

from collections.abc import Sequence

import msgspec

from schemas.decode import DecodeRules, Rejection
from schemas.decode_many import decode_many
from schemas.events import Event
from schemas.partition import partition_of
from schemas.rejection import quoted, reject
from schemas.topics import KINDS_OF, SOURCE_TOPICS
from stream.ingest.mapping.declaration import Map
from stream.ingest.mapping.making import Draft, EventMaker
from stream.ingest.mapping.records import Headers, Mapped, MappedEvent, Refused, SourceRecord

TOPIC_OF = {str(kind.__struct_config__.tag): topic for topic in SOURCE_TOPICS for kind in KINDS_OF[topic]}
"""The topic that carries a kind of event."""

_encode = msgspec.json.Encoder(decimal_format="number").encode
_About = dict[str, object]


class Mapper:
    """Applies a map.

    Args:
        map_: what to make of which source.
        rules: what the deployment accepts.
        partitions: of Ebb's input topics.
    """

    def __init__(self, map_: Map, rules: DecodeRules, partitions: int) -> None:
        self._rules, self._partitions = rules, partitions
        self._sources = map_.sources
        self._makers = {
            topic: [EventMaker(event) for event in map_.events if topic in event.topics] for topic in map_.sources
        }
        paths = [
            path
            for event in map_.events
            for path in (
                *(path for path, _ in event.conditions),
                *(path for _, path in event.extra),
                *(path for field in (*event.fields, *event.lines) for path in field.paths),
            )
        ]
        self._looks_at_the_record = any(path.is_about_the_record for path in paths)

    def map(self, records: Sequence[SourceRecord], values: Sequence[object], now_ms: int) -> Mapped:
        """What becomes of each record.

        Args:
            records: in the order of their partitions.
            values: what each holds, or a `Rejection` where it cannot be read.
            now_ms: the events' Kafka timestamp. An event may be ahead of it, and of its record's own, as
                `rules.latest_lead_ms` says.
        """
        mapped = Mapped()
        faults: dict[int, list[Rejection]] = {}
        drafts: dict[str, list[tuple[int, str, bytes]]] = {}
        for place, (record, value) in enumerate(zip(records, values, strict=True)):
            made_of_it = self._drafts(record, value)
            if made_of_it is None:
                self._unmatched(record, place, mapped, faults)
                continue
            for draft in made_of_it:
                written = draft if isinstance(draft, Rejection) else _written(draft)
                if isinstance(written, Rejection):
                    faults.setdefault(place, []).append(written)
                else:
                    kind = str(draft["type"])  # type: ignore[index]  # a rejection is not written
                    drafts.setdefault(TOPIC_OF[kind], []).append((place, kind, written))
        for topic, made in drafts.items():
            self._judge(topic, made, records, now_ms, mapped, faults)
        mapped.refused = [Refused(place, found[0], len(found) - 1) for place, found in sorted(faults.items())]
        return mapped

    def _drafts(self, record: SourceRecord, value: object) -> Sequence[Draft | Rejection] | None:
        """What all event tables make of a record; None where none of them applies."""
        if isinstance(value, Rejection):
            return [value]
        if not isinstance(value, dict):
            return [reject("invalid_field", f"the value is {quoted(value)}, not an object")]
        frame = (about(record) if self._looks_at_the_record else None, value)
        made = [drafts for maker in self._makers[record.topic] if (drafts := maker.drafts(frame, record)) is not None]
        return [draft for drafts in made for draft in drafts] if made else None

    def _unmatched(self, record: SourceRecord, place: int, mapped: Mapped, faults: dict[int, list[Rejection]]) -> None:
        if self._sources[record.topic].refuses_unmatched:
            why = 'no [[event]] of the map applies; add one, or write unmatched = "ignore"'
            faults[place] = [reject("no_event", why)]
        else:
            mapped.ignored.append(place)

    def _judge(
        self,
        topic: str,
        made: Sequence[tuple[int, str, bytes]],
        records: Sequence[SourceRecord],
        now_ms: int,
        mapped: Mapped,
        faults: dict[int, list[Rejection]],
    ) -> None:
        """Let the decoder of the topic have its say."""
        stamps = [records[place].timestamp_ms for place, _, _ in made]
        judged_ms = [min(stamp, now_ms) if stamp >= 0 else now_ms for stamp in stamps]
        judged = decode_many(topic, [value for _, _, value in made], judged_ms, self._rules)
        ids: set[tuple[int, str]] = set()
        for (place, kind, value), event in zip(made, judged, strict=True):
            fault = event if isinstance(event, Rejection) else _repeated(place, event, ids)  # type: ignore[arg-type]
            if fault is not None:
                faults.setdefault(place, []).append(fault)
            else:
                key = event.customer_id or event.event_id  # type: ignore[union-attr]  # guests spread by their id
                partition = partition_of(key, self._partitions)
                mapped.events.append(MappedEvent(place, kind, topic, partition, key.encode(), value))


def _written(draft: Draft) -> bytes | Rejection:
    """The event as JSON. What a hostile value holds that JSON cannot is a fault of the record."""
    try:
        return _encode(draft)
    except (ValueError, OverflowError, TypeError, RecursionError) as error:
        return reject("invalid_field", f"cannot be written as JSON: {error}")


def _repeated(place: int, event: Event, ids: set[tuple[int, str]]) -> Rejection | None:
    """Two events of a record with one id: workers would drop the second as a repetition."""
    if (place, event.event_id) in ids:
        why = f"two events of the record are called {quoted(event.event_id)}; give one a prefix"
        return reject("invalid_field", f"event_id: {why}", "event_id")
    ids.add((place, event.event_id))
    return None


def about(record: SourceRecord) -> _About:
    """What paths that begin with `$` find.

    >>> about(SourceRecord("orders", 0, 1, 5, b"ada", None, [("kind", b"new")]))["$headers"]
    {'kind': 'new'}
    """
    return {
        "$key": None if record.key is None else record.key.decode(errors="replace"),
        "$timestamp_ms": record.timestamp_ms if record.timestamp_ms >= 0 else None,
        "$headers": texts(record.headers),
    }


def texts(headers: Headers) -> dict[str, str]:
    """Headers as texts; of equal names the last counts."""
    return {name: value.decode(errors="replace") for name, value in headers if value is not None}
