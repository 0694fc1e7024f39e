"""What a map makes of records: events Ebb accepts, at their customer's, or one refusal that says why."""

from pathlib import Path

from schemas.partition import partition_of
from schemas.topics import ENGAGEMENT, PROFILES, PURCHASES
from schemas.units import DAY_MS
from tests.unit.ingest.mapping import NOW_MS, ORDER, SOURCE, events, mapped, order, refusals


def views(fields: str, more: str = "") -> str:
    """A map of page views."""
    return f'{SOURCE}\n[[event]]\ntype = "page_view"\n{more}\n[event.fields]\n{fields}\n'


def test_an_event_goes_to_its_customer_s_partition_whatever_the_key_was(tmp_path: Path):
    result = mapped(tmp_path, ORDER, *(order(number=str(n), buyer={"id": f"buyer-{n}"}) for n in range(20)))
    assert [(event.topic, event.key.decode(), event.partition) for event in result.events] == [
        (PURCHASES, f"buyer-{n}", partition_of(f"buyer-{n}", 4)) for n in range(20)
    ]


def test_a_guest_s_event_is_keyed_by_its_id(tmp_path: Path):
    for nobody in ({}, {"id": None}, {"id": ""}, "no object"):
        assert [event.key for event in mapped(tmp_path, ORDER, order(buyer=nobody)).events] == [b"1001"]


def test_prices_in_json_are_the_decimals_that_are_written_there(tmp_path: Path):
    wire = b'{"number":"1","at":%d,"items":[{"sku":"a","qty":1,"price":%s}]}'
    prices = [b"0.1", b"12.10", b"4", b"123456789012345.123456789", b"1.5E1", b'"3.00"']
    values = [wire % (NOW_MS, price) for price in prices[:3] + prices[4:]]
    found = [event["lines"][0]["unit_price"] for event in events(tmp_path, ORDER, *values)]
    assert found == ["0.1", "12.10", "4", "15", "3.00"]
    reason, field, _ = refusals(tmp_path, ORDER, wire % (NOW_MS, b"12.2999999999999999"))[0]
    assert (reason, field) == ("invalid_field", "lines[0].unit_price")
    rounded = ORDER.replace('"items[].price"', '{ path = "items[].price", decimals = 2 }')
    assert events(tmp_path, rounded, wire % (NOW_MS, b"12.2999999999999999"))[0]["lines"][0]["unit_price"] == "12.30"


def test_pence_and_other_parts_of_a_pound_are_exact(tmp_path: Path):
    for form, written, wanted in [
        ('money = "minor"', 490, "4.90"),
        ('money = "minor"', "5", "0.05"),
        ("scale = 6", 4_900_001, "4.900001"),
        ("absolute = true", "-4.90", "4.90"),
    ]:
        text = ORDER.replace('"items[].price"', f'{{ path = "items[].price", {form} }}')
        item = {"sku": "a", "qty": 1, "price": written}
        assert events(tmp_path, text, order(items=[item]))[0]["lines"][0]["unit_price"] == wanted


def test_times_in_every_form_are_the_same_moment(tmp_path: Path):
    for form, written in [
        ('time = "iso"', "2024-03-01T07:00:00Z"),
        ('time = "iso"', "2024-03-01T08:00:00.000+01:00"),
        ('time = "iso", zone = "Europe/Paris"', "2024-03-01 08:00"),
        ('time = "seconds"', NOW_MS // 1000),
        ('time = "seconds"', f"{NOW_MS // 1000}.000"),
        ('time = "microseconds"', NOW_MS * 1000),
        ('time = "nanoseconds"', NOW_MS * 1_000_000),
    ]:
        found = events(tmp_path, views(f'event_time_ms = {{ path = "at", {form} }}'), {"at": written})
        assert found[0]["event_time_ms"] == NOW_MS, (form, written)


def test_a_record_without_an_id_gets_one_of_where_it_lies(tmp_path: Path):
    text = views('event_time_ms = { path = "$timestamp_ms", time = "milliseconds" }')
    once, again = events(tmp_path, text, {}, {}), events(tmp_path, text, {}, {})
    assert [event["event_id"] for event in once] == [f"shop.orders:2:{n}:{NOW_MS}:page_view" for n in (0, 1)]
    assert once == again
    long = text.replace("shop.orders", "x" * 249)
    name = events(tmp_path, long, {}, topic="x" * 249)[0]["event_id"]
    assert len(name) < 128
    assert name.endswith(f":2:0:{NOW_MS}:page_view")


def test_one_record_may_become_several_events(tmp_path: Path):
    profile = '[[event]]\ntype = "profile"\n[event.fields]\ncustomer_id = "buyer.id"\nregion = "county"\n'
    profile += 'event_time_ms = { path = "at", time = "milliseconds" }\n'
    both = mapped(tmp_path, ORDER + profile, order(county="Kent"))
    assert [event.topic for event in both.events] == [PURCHASES, PROFILES]
    each = views(
        'customer_id = "who"\nevent_time_ms = { path = "seen[].at", time = "milliseconds" }', 'each = "seen[]"'
    )
    seen = mapped(tmp_path, each, {"who": "ada", "seen": [{"at": NOW_MS}, {"at": "?"}, {"at": NOW_MS + 1}]})
    assert [(event.topic, event.key) for event in seen.events] == [(ENGAGEMENT, b"ada")] * 2
    assert [(each.rejection.field, each.more) for each in seen.refused] == [("event_time_ms", 0)]
    nothing = mapped(tmp_path, each, {"who": "ada", "seen": []})
    assert (nothing.events, nothing.refused, nothing.ignored) == ([], [], [])


def test_two_events_of_a_record_with_one_id_are_refused(tmp_path: Path):
    twice = ORDER + ORDER.removeprefix(SOURCE)
    assert refusals(tmp_path, twice, order())[0][:2] == ("invalid_field", "event_id")


def test_conditions_choose_the_event(tmp_path: Path):
    when = 'when = { kind = ["view", 7], "$headers.source" = { not = "test" }, user = { exists = true } }'
    text = views('event_time_ms = { path = "$timestamp_ms", time = "milliseconds" }', when)
    text = text.replace('format = "json"', 'format = "json"\nunmatched = "ignore"')
    values = [{"kind": "view", "user": 1}, {"kind": 7, "user": 1}, {"kind": "7", "user": 1}, {"kind": "view"}, {}]
    assert mapped(tmp_path, text, *values).ignored == [2, 3, 4]
    assert mapped(tmp_path, text, *values, headers=[("source", b"test")]).ignored == [0, 1, 2, 3, 4]


def test_conditions_on_elements_ask_nothing_of_records_that_are_other_events(tmp_path: Path):
    fields = 'event_time_ms = { path = "$timestamp_ms", time = "milliseconds" }'
    order_of_kind = ORDER.removeprefix(SOURCE).replace('"purchase"', '"purchase"\nwhen = { kind = "order" }')
    for when in ('"seen[].page" = "home"', 'kind = "visit", "seen[].page" = "home"'):
        text = views(fields, f'when = {{ {when} }}\neach = "seen[]"') + order_of_kind
        visit = {"kind": "visit", "seen": [{"page": "home"}, {"page": "basket"}]}
        result = mapped(tmp_path, text, order(kind="order"), visit)
        assert ([event.place for event in result.events], result.refused) == ([0, 1], []), when
    assert refusals(tmp_path, text, {"kind": "other", "seen": []})[0][0] == "no_event"
    assert refusals(tmp_path, text, {"kind": "visit"})[0][:2] == ("missing_field", "each")


def test_only_what_could_be_an_id_by_itself_is_joined_to_one(tmp_path: Path):
    text = ORDER.replace('"number"', '{ join = ["number", "part"] }')
    joined = [event["event_id"] for event in events(tmp_path, text, order(part=7), order(part="b"))]
    assert joined == ["1001-7", "1001-b"]
    for odd in ({"x": 1}, [1], True):
        assert refusals(tmp_path, text, order(part=odd))[0][:2] == ("invalid_field", "event_id")


def test_a_binary_fraction_written_out_whole_is_rounded_as_the_map_says(tmp_path: Path):
    wire = b'{"number":"1","at":%d,"items":[{"sku":"a","qty":1,"price":%s}]}'
    rounded = ORDER.replace('"items[].price"', '{ path = "items[].price", decimals = 2 }')
    written = b"0.1000000000000000055511151231257827021181583404541015625"
    assert events(tmp_path, rounded, wire % (NOW_MS, written))[0]["lines"][0]["unit_price"] == "0.10"


def test_a_record_that_no_event_table_wants_is_refused_unless_the_map_ignores_it(tmp_path: Path):
    text = ORDER.replace('type = "purchase"', 'type = "purchase"\nwhen = { kind = "order" }')
    assert refusals(tmp_path, text, {"kind": "other"})[0][0] == "no_event"
    ignoring = text.replace('format = "json"', 'format = "json"\nunmatched = "ignore"')
    assert mapped(tmp_path, ignoring, {"kind": "other"}).ignored == [0]


def test_what_a_worker_would_refuse_is_refused_with_its_reason(tmp_path: Path):
    hostile = [
        (None, "tombstone"),
        (b"", "empty_value"),
        (b"{", "malformed_json"),
        (b"[" * 5_000, "malformed_json"),
        (b"\xff", "malformed_json"),
        (b"[]", "invalid_field"),
        (order(number=None), "missing_field"),
        (order(number="\x1b[2J"), "invalid_field"),
        (order(number="x" * 129), "invalid_field"),
        (order(number=[1]), "invalid_field"),
        (order(items=[]), "invalid_field"),
        (order(items=None), "missing_field"),
        (order(items=[7]), "missing_field"),
        (order(items=[{"sku": "a", "qty": 0, "price": "1"}]), "invalid_field"),
        (order(items=[{"sku": "a", "qty": 10**30, "price": "1"}]), "invalid_field"),
        (order(items=[{"sku": "a", "qty": 1, "price": "-1"}]), "invalid_field"),
        (b'{"number":"1","at":1709276400000,"items":[{"sku":"a","qty":1,"price":1e999999}]}', "invalid_field"),
        (b'{"number":"1","at":1e999999,"items":[{"sku":"a","qty":1,"price":"1"}]}', "invalid_field"),
        (b'{"number":"1","left out":1e999999999999999999999}', "malformed_json"),
        (order(items=[{"sku": "a", "qty": 1, "price": "1_0E2"}]), "invalid_field"),
        (order(items=[{"sku": "a", "qty": 1, "price": f"1.{'1' * 5_000}E5"}]), "invalid_field"),
        (order(at=10**25), "invalid_field"),
        (order(at=1), "event_time_too_early"),
        (order(at=NOW_MS + 2 * DAY_MS), "event_time_too_late"),
    ]
    result = mapped(tmp_path, ORDER, *(value for value, _ in hostile), order())
    assert [each.rejection.reason for each in result.refused] == [reason for _, reason in hostile]
    assert [event.place for event in result.events] == [len(hostile)], "its neighbours go on"
    assert all(each.rejection.detail.isascii() and len(each.rejection.detail) <= 200 for each in result.refused)


def test_a_time_far_ahead_is_judged_by_the_record_s_own_timestamp_too(tmp_path: Path):
    late = order(at=NOW_MS)
    assert refusals(tmp_path, ORDER, late, timestamp_ms=NOW_MS - 2 * DAY_MS)[0][0] == "event_time_too_late"
    assert events(tmp_path, ORDER, late, timestamp_ms=-1)


def test_values_translate_and_extra_fields_travel_along(tmp_path: Path):
    values = 'values = { 1 = "in_store", web = "online" }, otherwise = "app", default = "online"'
    channel = f'channel = {{ path = "till", {values} }}'
    text = ORDER.replace("[event.lines]", f"{channel}\n[event.lines]") + '[event.extra]\nutm = "utm"\n'
    found = events(tmp_path, text, order(till=1, utm={"a": 1.5}), order(number="2", till="x"), order(number="3"))
    assert [event["channel"] for event in found] == ["in_store", "app", "online"]
    assert [event["utm"] for event in found] == [{"a": 1.5}, None, None]
