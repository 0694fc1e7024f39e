"""A simulated shop as Parquet files: what was sent, and the truth.

events.parquet     one row an event, in the order sent: times, topic, customer_id, misrouted, value (the JSON)
truth.parquet      one row a customer, as of the end
products.parquet   one row a product
campaigns.parquet  one row a campaign
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ebb.simulate.delivery import Slice
from ebb.simulate.encoding import TOPICS
from ebb.simulate.parts import GUEST
from ebb.simulate.shop import Shop
from ebb.simulate.truth import campaigns, products, truth
from stream.errors import EbbError

EVENTS = "events.parquet"
ROW_GROUP_EVENTS = 100_000
SCHEMA = pa.schema(
    [
        ("sent_ms", pa.int64()),
        ("event_time_ms", pa.int64()),
        ("topic", pa.dictionary(pa.int8(), pa.string())),
        ("customer_id", pa.string()),
        ("misrouted", pa.bool_()),
        ("value", pa.string()),
    ]
)


class EventFile:
    """Writes events slice by slice, in row groups of at least `ROW_GROUP_EVENTS`; a file that is not ended goes."""

    def __init__(self, path: Path, customers: list[str]) -> None:
        self._path = path
        self._writer = pq.ParquetWriter(path, SCHEMA, compression="zstd")
        self._customers = pa.array([*customers, None], pa.string())
        self._waiting: list[pa.RecordBatch] = []

    def __enter__(self) -> "EventFile":
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Write what is waiting, and end the file."""
        if kind is None:
            self._flush()
        self._writer.close()
        if kind is not None:
            self._path.unlink(missing_ok=True)

    def write(self, sent: Slice) -> None:
        """Add a day."""
        owner = np.where(sent.customer == GUEST, len(self._customers) - 1, sent.customer)
        columns = [
            pa.array(sent.sent_ms),
            pa.array(sent.event_time_ms),
            pa.DictionaryArray.from_arrays(pa.array(sent.topic.astype(np.int8)), pa.array(TOPICS)),
            self._customers.take(pa.array(owner)),
            pa.array(sent.misrouted),
            pa.array(sent.values, pa.binary()).cast(pa.string()),
        ]
        self._waiting.append(pa.record_batch(columns, schema=SCHEMA))
        if sum(batch.num_rows for batch in self._waiting) >= ROW_GROUP_EVENTS:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting), row_group_size=10 * ROW_GROUP_EVENTS)
            self._waiting.clear()


def write_truth(shop: Shop, folder: Path) -> None:
    """Write truth.parquet, products.parquet and campaigns.parquet as of now.

    Raises:
        EbbError: the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(truth(shop), folder / "truth.parquet")
        pq.write_table(products(shop), folder / "products.parquet")
        pq.write_table(campaigns(shop), folder / "campaigns.parquet")
    except OSError as error:
        raise EbbError(f"Cannot write to {folder}: {error}. Choose another folder.") from error


def saved(slices: Iterable[Slice], shop: Shop, folder: Path) -> Iterator[Slice]:
    """Pass slices on, each written; after the last one come the truth and, under its name, events.parquet.

    So whoever gives up before the end leaves no half of a shop, nor events beside the truth of another one.

    Raises:
        EbbError: the folder cannot be written to.
    """
    unfinished = folder / f"{EVENTS}.unfinished"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with EventFile(unfinished, shop.world.people.ids) as events:
            for sent in slices:
                events.write(sent)
                yield sent
        write_truth(shop, folder)
        unfinished.replace(folder / EVENTS)
    except OSError as error:
        raise EbbError(f"Cannot write to {folder}: {error}. Choose another folder.") from error
