"""What the simulated shop sends: valid, reproducible, in order, and behaving as it says."""

import hashlib
import zlib
from collections import Counter, defaultdict
from typing import Any

import msgspec
import numpy as np
import pytest

from ebb.simulate import TOPICS, Shop, ShopSettings, Slice, partitions_of
from ebb.simulate.truth import truth
from schemas.decode import DecodeRules, Rejection, decode
from schemas.events import Purchase
from schemas.money import exponent_of, line_minor
from schemas.partition import partition_of
from schemas.units import DAY_MS

GOLDEN = "19dacd9ec3a68fe8486a113d7b4c4036f9f32e2fea7933ac2de494323cdcbfab"
RULES = DecodeRules(currency="GBP")


def digest(slices: list[Slice]) -> str:
    hashed = hashlib.sha256()
    for sent in slices:
        hashed.update(sent.sent_ms.tobytes())
        hashed.update(b"".join(sent.keys) + b"".join(sent.values))
    return hashed.hexdigest()


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop(ShopSettings(customers=400, days=120, seed=3, misrouted=0.02))


@pytest.fixture(scope="module")
def slices(shop: Shop) -> list[Slice]:
    return list(shop.slices())


@pytest.fixture(scope="module")
def events(slices: list[Slice]) -> list[dict[str, Any]]:
    """Every event once, as JSON."""
    decoded = (msgspec.json.decode(value) for sent in slices for value in sent.values)
    return list({event["event_id"]: event for event in decoded}.values())


def of_kind(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == kind]


def test_every_event_is_one_that_ebb_accepts_on_its_topic(slices):
    for sent in slices:
        for topic, value, sent_ms, time_ms in zip(
            sent.topic.tolist(), sent.values, sent.sent_ms.tolist(), sent.event_time_ms.tolist(), strict=True
        ):
            event = decode(TOPICS[topic], value, sent_ms, RULES)
            assert not isinstance(event, Rejection), (event, value)
            assert event.event_time_ms == time_ms <= sent_ms


def test_every_kind_of_event_happens(events):
    assert len({event["type"] for event in events}) == 20


def test_the_same_seed_gives_the_same_bytes_on_every_machine_and_another_seed_others():
    settings = ShopSettings(customers=60, days=40, seed=1)
    assert digest(list(Shop(settings).slices())) == GOLDEN
    assert digest(list(Shop(ShopSettings(customers=60, days=40, seed=2)).slices())) != GOLDEN


def test_slices_are_days_in_the_order_of_sending(slices):
    for number, sent in enumerate(slices):
        assert sent.end_ms - sent.begin_ms == DAY_MS
        assert (np.diff(sent.sent_ms) >= 0).all()
        assert sent.sent_ms.min(initial=sent.begin_ms) >= sent.begin_ms
        if number < len(slices) - 1:
            assert sent.sent_ms.max(initial=0) < sent.end_ms


def test_late_repeated_and_guests_events_are_as_many_as_stated(shop, slices, events):
    settings = shop.settings
    sent_ms, time_ms = (np.concatenate([getattr(s, name) for s in slices]) for name in ("sent_ms", "event_time_ms"))
    total = len(sent_ms)
    repeats = total - len(events)
    assert repeats / total == pytest.approx(settings.duplicate, rel=0.25)
    assert (sent_ms - time_ms > 600_000).mean() == pytest.approx(settings.late, rel=0.25)
    visits = of_kind(events, "session")
    guests = sum("customer_id" not in visit for visit in visits)
    assert guests / len(visits) == pytest.approx(settings.guest_share, rel=0.2)


def test_misrouted_events_are_where_librdkafka_would_put_them_and_all_others_at_home(slices):
    share = []
    assert zlib.crc32(b"S000001") % 4 == 3
    for sent in slices:
        partitions = partitions_of(sent, 4)
        home = np.array([partition_of(key.decode(), 4) for key in sent.keys])
        assert (partitions == home)[~sent.misrouted].all()
        elsewhere = [zlib.crc32(sent.keys[place]) % 4 for place in np.flatnonzero(sent.misrouted)]
        assert partitions[sent.misrouted].tolist() == elsewhere
        share += (partitions != home).tolist()
    assert np.mean(share) == pytest.approx(0.02 * 0.75, rel=0.2)  # CRC-32 agrees for a quarter of the keys


def test_an_order_online_follows_a_visit_that_puts_all_of_it_in_the_cart(events):
    carts = defaultdict(list)
    for event in of_kind(events, "add_to_cart"):
        carts[event.get("customer_id"), event["product_id"]].append(event["event_time_ms"])
    found = Counter()
    for order in of_kind(events, "purchase"):
        customer = order.get("customer_id")
        before = [
            any(0 < order["event_time_ms"] - at < 3_600_000 for at in carts[customer, line["product_id"]])
            for line in order["lines"]
        ]
        found[all(before), any(before)] += 1
    assert found[True, True] / found.total() > 0.85  # the others are bought in the store without a visit
    assert found[False, True] == 0


def test_a_visit_takes_at_most_55_minutes_and_never_lasts_into_the_next_day(shop, events):
    visits = of_kind(events, "session")
    assert max(visit["duration_ms"] for visit in visits) <= 55 * 60_000
    for visit in visits:
        day = (visit["event_time_ms"] - shop.settings.start_ms) // DAY_MS
        assert (visit["event_time_ms"] - visit["duration_ms"] - shop.settings.start_ms) // DAY_MS == day


def test_visits_come_oftener_in_the_days_before_an_order(events):
    visits = defaultdict(set)
    for event in of_kind(events, "session"):
        visits[event.get("customer_id")].add(event["event_time_ms"] // DAY_MS)
    near, far = [], []
    for order in of_kind(events, "purchase"):
        if customer := order.get("customer_id"):
            day = order["event_time_ms"] // DAY_MS
            near += [day - ahead in visits[customer] for ahead in (1, 2)]
            far += [day - ahead in visits[customer] for ahead in (11, 12)]
    assert np.mean(near) > 1.5 * np.mean(far)


def test_nobody_orders_after_dropping_out(shop, events):
    people = shop.world.people
    gone_ms = dict(zip(people.ids, people.dropped_out_ms.tolist(), strict=True))
    for order in of_kind(events, "purchase"):
        if customer := order.get("customer_id"):
            assert gone_ms[customer] < 0 or order["event_time_ms"] <= gone_ms[customer]


def test_a_refund_names_an_earlier_purchase_of_the_same_customer(events):
    orders = {order["event_id"]: order for order in of_kind(events, "purchase")}
    refunds = of_kind(events, "refund")
    assert len(refunds) > 20
    for refund in refunds:
        order = orders[refund["purchase_id"]]
        assert order["customer_id"] == refund["customer_id"]
        assert order["event_time_ms"] < refund["event_time_ms"]
        assert order["lines"][0] == refund["lines"][0]


def test_profiles_have_gaps_but_not_only_gaps(events):
    profiles = of_kind(events, "profile")
    given = np.mean([("age" in p) + ("income" in p) + ("region" in p) for p in profiles]) / 3
    assert given == pytest.approx(0.7, abs=0.05)


def test_unhappy_customers_call_for_help_and_rate_low(shop, events):
    people = shop.world.people
    satisfaction = dict(zip(people.ids, people.satisfaction.tolist(), strict=True))
    reviews = of_kind(events, "review")
    low = [satisfaction[review["customer_id"]] for review in reviews if review["rating"] <= 3]
    high = [satisfaction[review["customer_id"]] for review in reviews if review["rating"] >= 5]
    callers = {event["customer_id"] for event in of_kind(events, "support_contact")}
    buyers = [place for place, orders in enumerate(people.orders.tolist()) if orders]
    calm = [people.satisfaction[place] for place in buyers if people.ids[place] not in callers]
    assert np.mean(low) < np.mean(high) - 0.1
    assert np.mean([satisfaction[caller] for caller in callers]) < np.mean(calm)
    assert len({review["text"] for review in reviews}) > 0.9 * len(reviews)


def test_every_kind_of_campaign_causes_orders_and_has_its_cost(shop):
    caused: Counter[str] = Counter()
    for campaign in shop.world.campaigns:
        caused[campaign.plan.kind] += campaign.caused
        assert campaign.cost_minor > 0
    assert set(+caused) == {"newsletter", "coupon", "advertising", "sale"}
    assert 0.02 < caused.total() / shop.world.people.orders.sum() < 0.3


def test_what_campaigns_have_given_is_what_came_off_all_orders(shop, events):
    came_off = Counter()
    coupons = {(event["customer_id"], event["event_time_ms"]) for event in of_kind(events, "coupon_redemption")}
    for order in of_kind(events, "purchase"):
        pence = sum(round(float(line.get("discount", 0)) * 100) for line in order["lines"])
        came_off[(order.get("customer_id"), order["event_time_ms"]) in coupons] += pence
    given = Counter()
    for campaign in shop.world.campaigns:
        given[campaign.plan.kind == "coupon"] += campaign.discount_minor
    assert given == came_off
    assert given[False] > given[True] > 0


def test_a_sale_reaches_everybody_who_is_there_before_it_ends(shop):
    (sale,) = (campaign for campaign in shop.world.campaigns if campaign.plan.kind == "sale")
    assert sale.reached == (shop.world.people.joined_day < sale.first_day + sale.plan.days).sum() < 400


@pytest.mark.parametrize("currency", ["JPY", "KWD"])
def test_truth_and_events_tell_the_same_money_in_any_currency(currency):
    shop = Shop(ShopSettings(customers=60, days=30, currency=currency))
    rules, spent = DecodeRules(currency=currency), Counter()
    for sent in shop.slices():
        for topic, value, sent_ms in zip(sent.topic.tolist(), sent.values, sent.sent_ms.tolist(), strict=True):
            event = decode(TOPICS[topic], value, sent_ms, rules)
            if isinstance(event, Purchase) and event.customer_id:
                lines = (line_minor(line, exponent_of(currency)) for line in event.lines)
                spent[event.customer_id, event.event_id] = sum(lines)
    told = truth(shop)
    assert sum(told["spend_minor"].to_pylist()) == spent.total() > 0


def test_truth_tells_of_nobody_who_has_not_come():
    shop = Shop(ShopSettings(customers=200, days=100))
    next(shop.slices())
    told = truth(shop)
    assert told.num_rows == (shop.world.people.joined_day == 0).sum() < 200
    assert max(told["joined_ms"].to_pylist()) == shop.settings.start_ms


def test_a_concept_change_changes_nothing_before_its_day_and_behaviour_from_it_on():
    steady, changed = (
        list(Shop(ShopSettings(customers=300, days=90, concept_change_day=day)).slices()) for day in (None, 45)
    )
    assert digest(steady[:45]) == digest(changed[:45])
    purchases = [sum(int((sent.topic == 0).sum()) for sent in days[50:]) for days in (steady, changed)]
    assert purchases[1] < 0.8 * purchases[0]


def test_stock_never_falls_below_nothing_and_what_is_sold_out_is_not_sold(shop):
    catalogue = shop.world.catalogue
    assert (catalogue.stock >= 0).all()
    assert catalogue.sold.sum() > 0
    popular = int(catalogue.popularity.argmax())
    catalogue.stock[:] = 1
    assert popular in catalogue.pick(shop.world.draws, "test", np.arange(2_000))
    catalogue.stock[popular] = 0
    assert popular not in catalogue.pick(shop.world.draws, "test", np.arange(2_000))
