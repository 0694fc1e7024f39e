"""What columns say of records is what `decode` and `facts_of` say of each: good ones, odd ones and garbage."""

import json
from itertools import pairwise
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from offline.columns.homes import homes_of
from offline.columns.names import Names
from offline.columns.reading import NOBODY, Sent, taken, told
from offline.columns.repeats import Repeats
from offline.columns.values import Values
from schemas.decode import DecodeRules, decode
from schemas.events import Event
from schemas.partition import partition_of
from schemas.rejection import Rejection
from schemas.topics import REROUTED, SOURCE_TOPICS
from stream.columns.grammar import SLOT, grammar
from stream.columns.hashing import hashes_of
from stream.columns.texts import distinct
from stream.features.facts import KIND_CODES
from stream.features.facts_of_events import facts_of
from stream.features.hashes import event_hash
from tests.unit.features.histories import START_MS, VOCABULARY, YEARS_3_MS, bodies, times_ms

TOPICS = (*SOURCE_TOPICS, REROUTED)
RULES = DecodeRules(currency="GBP", max_bytes=600)
RECEIVED_MS = START_MS + YEARS_3_MS

KEYS = ["event_id", "customer_id", "event_time_ms", "type", "lines", "unit_price", "rating", "age", "note", "context"]
ODD_VALUES: list[Any] = [
    None, True, 0, 1, -1, 7, 1.5, 4.0, 10**17, 10**18, 10**30, 1e300, "", "a", "x" * 128, "x" * 129, "é" * 65,
    "tab\tquote\"", "\x7f", "12.50", "1e3", "00012.5", "999999999.999999999", "1000000000",
    "0.0000000001", "USD", "app", "fax", [], {},
    [None], [{}], {"event_id": "inside"}, START_MS, RECEIVED_MS + RULES.latest_lead_ms,
    RECEIVED_MS + RULES.latest_lead_ms + 1,
]  # fmt: skip

customers = st.sampled_from(["ada", "bob", "17850", "Zoë", "x" * 128, None])
good = st.builds(
    lambda event_id, time_ms, customer, body: (
        {"event_id": event_id, "event_time_ms": time_ms}
        | ({} if customer is None else {"customer_id": customer})
        | body
    ),
    st.sampled_from(["e1", "e2", "s1-0-page_view-336", "x" * 128]) | st.integers(0, 99).map(str),
    times_ms,
    customers,
    bodies,
)


@st.composite
def odd(draw: Any) -> dict[str, Any]:
    """An event with something changed in it, or in one of its lines."""
    event = dict(draw(good))
    for _ in range(draw(st.integers(1, 3))):
        inside = event
        if "lines" in event and isinstance(event["lines"], list) and event["lines"] and draw(st.booleans()):
            place = draw(st.integers(0, len(event["lines"]) - 1))
            event["lines"] = list(event["lines"])
            event["lines"][place] = inside = dict(event["lines"][place] or {})
        key = draw(st.sampled_from([*inside, *KEYS, "quantity", "discount", "schema_version", "compatible_with"]))
        if draw(st.integers(0, 3)) == 0:
            inside.pop(key, None)
        else:
            inside[key] = draw(st.sampled_from(ODD_VALUES))
    return event


@st.composite
def written(draw: Any) -> bytes:
    """An event as JSON, the keys in some order, with blanks where they may be, perhaps one key twice."""
    event = draw(good | good | odd())
    pairs = draw(st.permutations(list(event.items()))) if draw(st.booleans()) else list(event.items())
    blank = draw(st.sampled_from(["", "", " ", "\n\t"]))
    plain = draw(st.booleans())
    members = [f"{json.dumps(key)}{blank}:{blank}{json.dumps(value, ensure_ascii=plain)}" for key, value in pairs]
    if draw(st.integers(0, 9)) == 0:
        members.append(draw(st.sampled_from(members)))
    return (blank + "{" + blank + f"{blank},{blank}".join(members) + "}" + blank).encode()


SIGNS = [b"", *(bytes([byte]) for byte in b'"\\{}[],:0-.en \x00\x7f\xff')]


@st.composite
def damaged(draw: Any) -> bytes:
    """A record in which some bytes are others, are missing or are new."""
    value = bytearray(draw(written()))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(value)))
        value[at : at + draw(st.integers(0, 2))] = draw(st.sampled_from(SIGNS))
    return bytes(value)


IDENTITY = [
    {"type": "erasure", "event_id": "i1", "event_time_ms": START_MS, "customer_id": "ada"},
    {"type": "merge", "event_id": "i2", "event_time_ms": START_MS, "customer_id": "ada", "into": "bob"},
    {"type": "clock", "time_ms": START_MS},
]
values = written() | written() | written() | damaged() | st.sampled_from(
    [None, b"", b"{}", b"null", b"[]", b"{", b'"', *(json.dumps(each).encode() for each in IDENTITY)]
)  # fmt: skip
records = st.lists(st.tuples(st.integers(0, len(TOPICS) - 1), values), max_size=12)


def sent_of(drawn: list[tuple[int, bytes | None]]) -> Sent:
    """Records as a reader hands them over: a slice of an Arrow array."""
    array = pa.array([b"before", *(value for _, value in drawn), b"behind"], pa.binary())
    topic = np.array([topic for topic, _ in drawn], np.int64)
    return Sent(Values(array[1:-1]), TOPICS, topic, np.full(len(drawn), RECEIVED_MS, np.int64))


def topic_of(value: bytes) -> int:
    """The topic of an event's kind, so that most records lie where they belong."""
    found = json.loads(value)["type"]
    return 2 if found == "profile" else 0 if found in ("purchase", "refund") else 1


def at_home(drawn: list[tuple[int, bytes | None]]) -> list[tuple[int, bytes | None]]:
    placed = []
    for topic, value in drawn:
        try:
            placed.append((topic if topic == TOPICS.index(REROUTED) else topic_of(value or b""), value))
        except (ValueError, KeyError, TypeError):
            placed.append((topic, value))
    return placed


@given(records.map(at_home) | records)
@example([(1, b'{"type":"page_view","event_id":"e","event_time_ms":1262304000000,"customer_id":null}')])
@example([(1, b'{"type":"page_view","event_id":"e","event_time_ms":1262304000000,"note":-0.5}')])
@example([(1, b'{"type":"page_view","event_id":"e","event_time_ms":1262304000000,"note":[1]}')])
@example([(1, b'{"type":"page_view","event_id":"e","event_time_ms":1262304000000,"lines":[]}')])
def test_columns_say_of_records_what_each_says_by_itself(drawn: list[tuple[int, bytes | None]]) -> None:
    require_the_same(drawn)


def require_the_same(drawn: list[tuple[int, bytes | None]]) -> None:
    """Columns say of these records what each says by itself."""
    found = told(sent_of(drawn), RULES, VOCABULARY, Names())
    decoded = [decode(TOPICS[topic], value, RECEIVED_MS, RULES) for topic, value in drawn]
    assert found.is_event.tolist() == [isinstance(each, Event) for each in decoded]
    assert found.rejected == [each for each in decoded if isinstance(each, Rejection)]
    events = [each for each in decoded if isinstance(each, Event)]
    rows = found.facts.row[found.is_event]
    names = [None if row == NOBODY else found.customers[row] for row in rows.tolist()]
    assert names == [event.customer_id for event in events]
    expected = vars(facts_of(events, rows.tolist(), VOCABULARY))
    for name, column in vars(found.facts.take(np.flatnonzero(found.is_event))).items():
        assert (column.dtype, column.tolist()) == (expected[name].dtype, expected[name].tolist()), name


def whole_events() -> list[dict[str, Any]]:
    """An event of each kind with all fields it may have."""
    common = {
        "event_id": "e",
        "event_time_ms": START_MS,
        "customer_id": "ada",
        "schema_version": 1,
        "compatible_with": 1,
    }
    line = {"product_id": "a", "quantity": 2, "unit_price": "12.50", "discount": "0.5", "category": "garden"}
    order = {"currency": "GBP", "channel": "app", "lines": [line, {**line, "product_id": "b"}], "purchase_id": "p"}
    texts = dict.fromkeys(("query", "topic", "network", "tier", "text", "gender", "region", "education"), "gold")
    texts |= dict.fromkeys(("product_id", "campaign_id", "coupon_id", "loyalty_tier", "time_zone"), "c")
    numbers = {"quantity": 3, "duration_ms": 1_500, "rating": 4, "points": -7, "age": 33}
    others = {"income": "38501.5", "preferred_channel": "online", "consent": True}
    given_fields = order | texts | numbers | others
    types = {kind.__struct_config__.tag: kind for kind in get_args(Event)}
    return [
        common | {"type": tag} | {name: given_fields[name] for name in kind.__struct_fields__ if name in given_fields}
        for tag, kind in types.items()
    ]


def placed(values: list[bytes]) -> list[tuple[int, bytes | None]]:
    return at_home([(1, value) for value in values])


def test_every_single_change_of_a_field_means_the_same_in_columns() -> None:
    changed = []
    for event in whole_events():
        for key in {*event, *KEYS, "quantity", "discount"}:
            changed.append({name: value for name, value in event.items() if name != key})
            changed += [event | {key: value} for value in ODD_VALUES]
        for key in event["lines"][0] if "lines" in event else ():
            line = event["lines"][0]
            without = {name: value for name, value in line.items() if name != key}
            lines = [without, *(line | {key: value} for value in ODD_VALUES)]
            changed += [event | {"lines": [event["lines"][1], each]} for each in lines]
    assert len(changed) > 8_000
    require_the_same(placed([json.dumps(event).encode() for event in changed]))


@pytest.mark.parametrize("tag", ["purchase", "profile", "session"])
def test_every_single_change_of_a_byte_means_the_same_in_columns(tag: str) -> None:
    (event,) = (each for each in whole_events() if each["type"] == tag)
    value = json.dumps(event, separators=(",", ":")).encode()
    changed = [value[:at] + sign + value[at + cut :] for at in range(len(value)) for sign in SIGNS for cut in (0, 1)]
    topic = topic_of(value)
    require_the_same([(topic, each) for each in (value, *changed)])


@given(st.lists(good, min_size=1, max_size=12))
def test_typical_events_are_taken_without_an_object_for_each(events: list[dict[str, Any]]) -> None:
    plain = [event for event in events if event.get("customer_id") != "Zoë"]
    values = [json.dumps(event, separators=(",", ":")).encode() for event in plain]
    large = ("income", "customer_id")  # a number above a billion is odd, and so is a guest's profile or a null
    typical = [
        len(value) <= RULES.max_bytes
        and not (event["type"] == "profile" and (event.get(large[0]) == "999999999999999" or large[1] not in event))
        for event, value in zip(plain, values, strict=True)
    ]
    drawn = [(topic_of(value), value) for value in values]
    assert taken(sent_of(drawn), RULES).tolist() == typical


def test_every_kind_of_event_is_known_to_the_columns() -> None:
    assert {int(code) for code in np.flatnonzero(grammar().sets[0])} == {0, *KIND_CODES.values()}
    assert len(SLOT) < 63  # sets of fields are bits of a number


@given(st.lists(st.text(max_size=32), max_size=20), st.integers(1, 9))
def test_hashes_and_partitions_of_many_ids_are_those_of_each(texts: list[str], partitions: int) -> None:
    names = Values(pa.array(texts, pa.string()))
    assert hashes_of(names.data, names.starts, names.ends).tolist() == [event_hash(text) for text in texts]
    assert homes_of(texts, partitions).tolist() == [partition_of(text, partitions) for text in texts]


@given(st.lists(st.text("ab\0é", max_size=7) | st.just("two\nlines"), max_size=150))
@example([f"c{number}" for number in range(3_000)])
def test_each_text_is_found_once_and_where_it_is(texts: list[str]) -> None:
    names = Values(pa.array(texts, pa.string()))
    found, places = distinct(names.data, names.starts, names.ends)
    assert found == list(dict.fromkeys(texts))
    assert [found[place] for place in places.tolist()] == texts


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 2)), max_size=300),
    st.integers(1, 40),
    st.lists(st.integers(0, 300), max_size=5),
)
def test_repeats_are_those_of_the_window_however_a_log_is_cut(
    log: list[tuple[int, int]], window: int, cuts: list[int]
) -> None:
    repeats, found = Repeats(window), []
    places = sorted({0, len(log), *(min(cut, len(log)) for cut in cuts)})
    for begin, end in pairwise(places):
        part = log[begin:end]
        ids, lanes = (np.array([each[at] for each in part]) for at in (0, 1))
        found += repeats.among(ids.astype(np.uint64), lanes.astype(np.int64)).tolist()
    before: dict[int, list[int]] = {}
    expected = []
    for id_, lane in log:
        seen = before.setdefault(lane, [])
        expected.append(id_ in seen[-window:])
        seen.append(id_)
    assert found == expected
