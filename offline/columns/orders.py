"""From order lines to the facts of orders: by columns, and one by one where columns may not do.

What `schemas.decode` says of an order as a record is what counts: columns are taken of what it would certainly accept.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from offline.columns.values import Values
from offline.sources.order_columns import Coded, OrderColumns
from schemas.decode import DecodeRules
from schemas.envelope import QUANTITY_MAX
from schemas.money import billionths
from stream.columns.hashing import hashes_of
from stream.columns.scanning import TAKEN_BELOW
from stream.features.facts import PURCHASE, REFUND, Envelopes, EventFacts, blank_facts
from stream.features.hashes import product_hash
from stream.features.order_facts import LineColumns, columns_of_lines
from stream.features.vocabulary import CATEGORIES_MAX, CHANNELS, Vocabulary, codes_of

IntArray = NDArray[np.int64]
_PLAIN = r"^[ !#-\[\]-~]{1,128}$"  # printable ASCII that JSON writes as it is
_BYTES_BESIDE_LINES = 1_024  # of an order as a record: names of fields, ids, time
_BYTES_OF_LINE = 512  # of a line: names of fields, product, category, numbers
_CHANNEL_CODES = codes_of(CHANNELS)


def sure_orders(orders: OrderColumns, rules: DecodeRules, received_ms: int) -> NDArray[np.bool_]:
    """Shape (orders,): which orders `decode` certainly accepts, of a record received then."""
    first, times_ms = orders.first, orders.lines["time_ms"].to_numpy()
    sure: NDArray[np.bool_] = (
        _are_plain(orders.of_orders("event_id"))
        & _are_plain_or_empty(orders.of_orders("customer_id"))
        & _are_plain_or_empty(orders.of_orders("purchase_id"))
        & (times_ms[first] >= rules.earliest_event_time_ms)
        & (times_ms[first] <= received_ms + rules.latest_lead_ms)
        & (orders.of_orders("currency").each(lambda currency: currency == rules.currency, np.bool_))
        & (orders.of_orders("channel").each(lambda channel: channel in CHANNELS, np.bool_))
        & (orders.counts * _BYTES_OF_LINE + _BYTES_BESIDE_LINES <= rules.max_bytes)
        & _have_sure_lines(orders)
    )
    return sure


def order_facts_in(orders: OrderColumns, vocabulary: Vocabulary, exponent: int) -> EventFacts:
    """The facts of orders, all of them sure; `row` is 0."""
    first, lines = orders.first, orders.lines
    ids = Values(pa.array(lines["event_id"].take(first).tolist(), pa.string()))
    is_refund = lines["refund"].to_numpy()[first]
    envelopes = Envelopes(
        kind=np.where(is_refund, REFUND, PURCHASE).astype(np.uint8),
        time_ms=lines["time_ms"].to_numpy()[first],
        id_hash=hashes_of(ids.data, ids.starts, ids.ends),
    )
    facts = blank_facts(np.zeros(len(orders), np.intp), envelopes)
    slots = vocabulary.category_slots
    columns = columns_of_lines(
        LineColumns(
            counts=orders.counts,
            bought=~is_refund,
            pieces=np.abs(lines["quantity"].to_numpy()[orders.row]),
            price=_billionths(orders.of_lines("unit_price")),
            discount=_billionths(orders.of_lines("discount")),
            slot=orders.of_lines("category").each(lambda name: slots.get(name, CATEGORIES_MAX), np.int64),
            product=orders.of_lines("product_id").each(product_hash, np.uint64),
        ),
        exponent,
    )
    for name, values in columns.items():
        getattr(facts, name)[:] = values
    facts.channel[:] = orders.of_orders("channel").each(_CHANNEL_CODES.__getitem__, np.uint8)
    return facts


def _have_sure_lines(orders: OrderColumns) -> NDArray[np.bool_]:
    """Whether every line of each order has a plain product, pieces, and amounts whose sum 64 bits hold."""
    pieces = np.abs(orders.lines["quantity"].to_numpy()[orders.row])
    price, discount = (_billionths(orders.of_lines(name)) for name in ("unit_price", "discount"))
    fits = (pieces >= 1) & (pieces <= QUANTITY_MAX) & (price >= 0) & (price <= TAKEN_BELOW // np.maximum(pieces, 1))
    sure = (
        fits
        & (discount >= 0)
        & (discount <= np.where(fits, price * pieces, 0))
        & _are_plain(orders.of_lines("product_id"))
        & _are_plain_or_empty(orders.of_lines("category"))
    )
    starts = np.cumsum(orders.counts) - orders.counts
    worth = np.add.reduceat(np.where(fits, price * pieces, 0).astype(np.float64), starts)
    return np.logical_and.reduceat(sure, starts) & (worth <= TAKEN_BELOW)


def _billionths(amounts: Coded) -> IntArray:
    """Of each amount; -1 of one that is none or too much."""

    def read(amount: str) -> int:
        try:
            found = billionths(amount)
        except ValueError:
            return -1
        return found if found <= TAKEN_BELOW else -1

    return amounts.each(read, np.int64)


def _are_plain_or_empty(texts: Coded) -> NDArray[np.bool_]:
    return _are_plain(texts) | texts.each(lambda text: text == "", np.bool_)


def _are_plain(texts: Coded) -> NDArray[np.bool_]:
    found: Sequence[bool] = pc.match_substring_regex(pa.array(texts.texts.tolist(), pa.string()), _PLAIN).to_pylist()
    plain: NDArray[np.bool_] = np.array(found, np.bool_)[texts.code]
    return plain
