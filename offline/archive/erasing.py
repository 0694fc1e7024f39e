"""Taking the records of erased customers out of an archive."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from offline.archive.erased import ErasedPlace, note_erased
from offline.archive.files import TEMPORARY, contained, files, partitions, publish_file
from offline.archive.parquet import row_groups, schema_of, writer
from schemas.decode import DECODERS
from schemas.identities import Erasure, Merge, Release
from schemas.misfits import MALFORMED
from schemas.origin import origin_of
from schemas.topics import LABELS, REROUTED, SOURCE_TOPICS

TOPICS = (*SOURCE_TOPICS, REROUTED, LABELS)
_KEPT = {kind.__struct_config__.tag for kind in (Erasure, Merge, Release)}  # a rebuild has to know who was erased


class _Named(msgspec.Struct):
    """Whose a record is, and of when."""

    customer_id: str | None = None
    event_time_ms: int | None = None
    snapshot_ms: int = 0
    type: str = ""


_decoder = msgspec.json.Decoder(_Named)


def take_out(folder: Path, customers: Collection[str], erased_ms: int) -> int:
    """Take out what an archive has of these customers up to a time; the erasures stay, and which ids were merged.

    So do the places of what goes (`offline.archive.erased`), without which what was around it could not be rebuilt.

    Each file is replaced whole, under its own name: whoever reads it finds the old rows or those that are left.

    Args:
        folder: the archive, which the caller holds (`offline.archive.files.locked`).
        customers: ids.
        erased_ms: later events are those of new customers.

    Returns:
        How many records were taken out.

    Raises:
        ArchiveError: a file is damaged, or it cannot be written to.
    """
    logs = [(topic, number) for topic in TOPICS for number in partitions(folder, topic)]
    for topic, number in logs:
        for left in contained(folder, topic, number):
            left.path.unlink()
    rewriting = ((log, file.path) for log in logs for file in files(folder, *log))
    return sum(_rewrite(folder, log, path, customers, erased_ms) for log, path in rewriting)


def _rewrite(folder: Path, log: tuple[str, int], path: Path, customers: Collection[str], erased_ms: int) -> int:
    kept = [_kept(table, customers, erased_ms) for table in row_groups(path)]
    removed = sum(int((~mask).sum()) for mask in kept)
    if not removed:
        return 0
    if log[0] != LABELS:
        going = (table.filter(pa.array(~mask)) for table, mask in zip(row_groups(path), kept, strict=True))
        note_erased(folder, *log, [_place(log[0], row) for table in going for row in table.to_pylist()])
    temporary = path.with_name(path.name + TEMPORARY)
    with writer(temporary, schema_of(path)) as out:
        for table, mask in zip(row_groups(path), kept, strict=True):
            out.write_table(table.filter(pa.array(mask)))
    publish_file(temporary, path)
    return removed


def _place(topic: str, row: Mapping[str, Any]) -> ErasedPlace:
    """Where a record lies, and its place in time: what is no event has none."""
    try:
        event_ms = getattr(DECODERS[topic].decode(row["value"] or b""), "event_time_ms", 0)
    except MALFORMED:
        return ErasedPlace(row["offset"], 0)
    headers = [(each["name"], each["value"]) for each in row["headers"] or ()]
    origin = origin_of(headers, SOURCE_TOPICS) if topic == REROUTED else None
    written_ms = origin.timestamp_ms if origin else row["timestamp_ms"]
    return ErasedPlace(row["offset"], min(event_ms, written_ms) if event_ms > 0 else 0)


def _kept(table: pa.Table, customers: Collection[str], erased_ms: int) -> Any:
    """Which rows stay. Only those in which an id may occur are read."""
    kept = np.ones(table.num_rows, np.bool_)
    for customer in customers:
        for row in _naming(table, customer).nonzero()[0].tolist():
            kept[row] &= not _is_of(table["value"][row].as_py(), table["key"][row].as_py(), customer, erased_ms)
    return kept


def _naming(table: pa.Table, customer: str) -> Any:
    """Which rows have the id for their key, or in their value; where a backslash is, it may be spelled in many ways."""
    found = pc.equal(table["key"], pa.scalar(customer.encode(), pa.binary()))
    for text in (customer, "\\"):
        found = pc.or_kleene(found, pc.match_substring(table["value"], text))
    return np.asarray(pc.fill_null(found, False).combine_chunks())


def _is_of(value: bytes | None, key: bytes | None, customer: str, erased_ms: int) -> bool:
    try:
        named = _decoder.decode(value or b"")
    except msgspec.MsgspecError:
        return key == customer.encode()  # a dead letter of this customer's, as far as anybody can tell
    time_ms = named.snapshot_ms if named.event_time_ms is None else named.event_time_ms
    return named.customer_id == customer and time_ms <= erased_ms and named.type not in _KEPT
