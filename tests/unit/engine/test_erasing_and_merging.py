"""What becomes of a customer who is erased, or is merged into another: state, indexes, labels, alerts, later events."""

import msgspec
import pytest

from schemas.identities import Arrival
from schemas.partition import partition_of
from schemas.topics import CHURN_ALERTS, INVALID, PROFILES, PURCHASES, REROUTED
from stream.features.stored import unpack
from stream.identities.known import name_of
from tests.shop_of_partitions import Shop, at_ms, erasure, merge
from tests.world import engagement, purchase, sampled_on

ADA, BOB, CY = (
    next(name for name in map(f"{base}-{{}}".format, range(100)) if partition_of(name, 3) == number)
    for number, base in enumerate(("ada", "bob", "cy"))
)
"""Customers of partitions 0, 1 and 2."""


def orders(customer, *days, price="12.50"):
    return [purchase(customer, day, event_id=f"{customer[:20]} {day}", price=price) for day in days]


def purchases(shop, customer):
    return int(unpack([shop.states[customer]])["features"]["purchases"][0])


def reasons(shop):
    letters = [m for world in shop.worlds for m in world.outbox.outgoing() if m.topic == INVALID]
    return [dict(letter.headers)["reason"].decode() for letter in letters]


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
def silent(shop):
    """Ada has an open alert, and an open snapshot of day 20."""
    ada = sampled_on(20, name="silent")
    shop.do(*orders(ada, 0, 10))
    home = shop.worlds[partition_of(ada, 3)]
    home.silence_until(38)
    assert [message["type"] for message in shop.messages(CHURN_ALERTS)] == ["churn-alert.opened"]
    assert {"snapshot", "labels", "risks", "deadlines", "states", "views", "resident"} <= set(shop.holds(ada))
    return ada


def test_nothing_is_left_of_who_was_erased_and_the_open_alert_is_closed(shop, silent):
    shop.do(*orders(BOB, 30))
    shop.do(erasure(silent, 39, event_id="e"))
    assert shop.holds(silent) == []
    assert shop.holds(BOB)
    closed = shop.messages(CHURN_ALERTS)[1]
    assert (closed["type"], closed["cause"], closed["customer_id"]) == ("churn-alert.closed", "erased", silent)
    assert (shop.total("churn_alerts"), shop.total("churn_alerts_closed")) == (1, 1)
    assert (shop.total("customers"), shop.total("customers_removed")) == (2, 1)
    assert shop.total("labels_opened") == shop.total("labels") + shop.total("labels_dropped") > 0
    home = shop.worlds[partition_of(silent, 3)]
    risks = sum(round(risk * 100) for risk in home.stored.risks.values())
    assert home.total("value_at_risk_minor") == pytest.approx(risks, abs=1)
    identity = shop.identities[name_of(silent)]
    assert identity.removed == {"states": 1, "views": 1, "snapshots": 1, "open_labels": 1}
    assert silent.encode() not in b"".join(home.stored.identities.values())
    home.silence_until(80)
    assert shop.holds(silent) == []


def test_older_events_that_come_later_are_dropped_and_counted_and_newer_ones_begin_anew(shop):
    shop.do(*orders(ADA, 0, 1), erasure(ADA, 2, event_id="e"))
    shop.worlds[0].late(purchase(ADA, 0.5, event_id="forgotten"), 3)
    assert shop.holds(ADA) == []
    assert (shop.total("erased_events"), shop.total("purchases")) == (1, 2)
    shop.do(*orders(ADA, 4))
    assert purchases(shop, ADA) == 1
    shop.do(erasure(ADA, 2, event_id="the same history again"))
    assert purchases(shop, ADA) == 1


def test_what_a_visitor_did_is_the_customers_on_another_partition_and_so_is_what_comes_later(shop):
    shop.do(*orders(ADA, 0, 1), *orders(BOB, 0.5), merge(ADA, BOB, 2, event_id="m"))
    assert (shop.holds(ADA), purchases(shop, BOB)) == ([], 3)
    view = shop.worlds[1].view(BOB)
    assert (view.features["purchases"], view.as_of_ms) == (3, at_ms(2))
    shop.do(*orders(ADA, 3))
    assert (shop.holds(ADA), purchases(shop, BOB)) == ([], 4)
    assert (shop.total("redirected_events"), shop.total("purchases"), shop.total("customers_removed")) == (1, 4, 1)


def test_events_of_an_alias_on_two_topics_count_though_they_have_one_id(shop):
    shop.do(*orders(BOB, 0), merge(ADA, BOB, 1, event_id="m"))
    shop.do(purchase(ADA, 2, event_id="same"), engagement("page_view", ADA, 2, event_id="same"))
    assert (purchases(shop, BOB), shop.total("redirected_events"), shop.total("duplicates")) == (2, 2, 0)


def test_who_was_never_seen_takes_over_all_that_a_visitor_did(shop):
    shop.do(*orders(ADA, 0, 1), merge(ADA, BOB, 2, event_id="m"))
    assert purchases(shop, BOB) == 2
    assert {"views", "deadlines"} <= set(shop.holds(BOB))
    assert shop.total("customers") - shop.total("customers_removed") == 1


def test_open_labels_and_alert_of_the_one_who_goes_end_and_those_of_the_other_stay(shop, silent):
    shop.do(*orders(BOB, 37), merge(silent, BOB, 39, event_id="m"))
    assert shop.messages(CHURN_ALERTS)[1]["cause"] == "merged"
    assert shop.holds(silent) == []
    again = Shop()
    stays = sampled_on(20, name="stays")
    again.do(*orders(stays, 0, 10))
    home = again.worlds[partition_of(stays, 3)]
    home.silence_until(38)
    opened = home.stored.labels[stays]
    other = next(name for name in (ADA, BOB, CY) if partition_of(name, 3) != partition_of(stays, 3))
    again.do(*orders(other, 5), merge(other, stays, 39, event_id="m"))
    assert (home.stored.labels[stays], home.alerts(stays)) == (opened, ["churn-alert.opened"])
    again.do(*orders(other, 40))
    assert home.alerts(stays) == ["churn-alert.opened", "churn-alert.closed"]


def test_a_half_of_a_merge_that_is_published_twice_counts_once(shop):
    shop.do(*orders(ADA, 0, 1), merge(ADA, BOB, 2, event_id="m"))
    sent = [message for message in shop.worlds[0].outbox.outgoing() if message.topic == REROUTED]
    shop.worlds[1].apply(shop.worlds[1].rerouted(*sent), [at_ms(3)] * len(sent))
    assert purchases(shop, BOB) == 2


def test_customers_merged_into_each_other_at_once_are_one(shop):
    shop.do(*orders(ADA, 0), *orders(BOB, 0), *orders(CY, 0))
    for customer, into in ((ADA, BOB), (BOB, CY), (CY, ADA)):
        shop.write(merge(customer, into, 1, event_id=f"{customer} into {into}"), at_ms(1))
    shop.settle()
    assert list(shop.states) == [ADA]
    shop.do(*orders(ADA, 2), *orders(BOB, 2), *orders(CY, 2))
    assert (list(shop.states), purchases(shop, ADA)) == ([ADA], 6)


def test_an_alias_is_merged_into_nobody_else_and_nobody_into_its_alias(shop):
    shop.do(*orders(ADA, 0), *orders(BOB, 0), merge(ADA, BOB, 1, event_id="m1"))
    shop.do(merge(ADA, CY, 2, event_id="m2"), merge(BOB, ADA, 2, event_id="m3"), merge(ADA, BOB, 2, event_id="m4"))
    assert reasons(shop) == ["merged_already", "merged_already"]
    assert (list(shop.states), purchases(shop, BOB)) == ([BOB], 2)


@pytest.mark.parametrize("named", [ADA, BOB])
def test_whoever_of_one_person_is_named_all_of_it_is_erased(shop, named):
    shop.do(*orders(ADA, 0), *orders(BOB, 0), *orders(CY, 0))
    shop.do(merge(ADA, BOB, 1, event_id="m1"), merge(BOB, CY, 2, event_id="m2"), erasure(named, 3, event_id="e"))
    assert shop.states == {}
    assert [shop.identities[name_of(each)].erased_ms for each in (ADA, BOB, CY)] == [at_ms(3)] * 3
    assert not any(identity.into or identity.others for identity in shop.identities.values())
    shop.do(*orders(ADA, 4))
    assert list(shop.states) == [ADA]


def test_what_is_on_its_way_when_its_customer_is_erased_arrives_nowhere(shop):
    shop.do(*orders(ADA, 0), *orders(BOB, 0))
    shop.write(erasure(BOB, 2, event_id="e"), at_ms(2))
    shop.write(merge(ADA, BOB, 1, event_id="m"), at_ms(2))
    shop.work(0)
    shop.settle()
    assert shop.states == {}
    assert shop.identities[name_of(ADA)].erased_ms == at_ms(2)
    shop.do(*orders(ADA, 3))
    assert list(shop.states) == [ADA]


def test_a_newer_event_of_an_alias_that_meets_the_erasure_of_its_customer_goes_back_to_its_own_id(shop):
    shop.do(*orders(ADA, 0), *orders(BOB, 0), merge(ADA, BOB, 1, event_id="m"))
    shop.write(erasure(BOB, 2, event_id="e"), at_ms(2))
    shop.write(orders(ADA, 3)[0], at_ms(3))
    shop.work(0)  # ada's partition has not heard of the erasure yet
    shop.settle()
    assert (list(shop.states), purchases(shop, ADA)) == ([ADA], 1)


def test_an_erasure_of_an_alias_counts_though_the_customer_it_was_merged_into_is_erased_later(shop):
    shop.do(*orders(ADA, 0), *orders(BOB, 0), merge(ADA, BOB, 1, event_id="m"))
    shop.write(erasure(BOB, 2, event_id="first"), at_ms(2))
    shop.write(erasure(BOB, 5, event_id="second"), at_ms(5))
    shop.write(orders(ADA, 3)[0], at_ms(3))
    shop.write(erasure(ADA, 4, event_id="of the alias"), at_ms(4))
    shop.write(orders(ADA, 4.5)[0], at_ms(5))
    shop.work(0)
    shop.settle()
    assert shop.identities[name_of(ADA)].erased_ms == at_ms(4)
    assert (list(shop.states), purchases(shop, ADA)) == ([ADA], 1)


def test_an_event_of_an_alias_that_comes_before_the_merge_is_no_less_erased_than_the_merge_itself():
    shop = Shop(chunk=1).do(*orders(ADA, 0), *orders(BOB, 0), *orders(CY, 0), merge(BOB, CY, 1, event_id="m1"))
    shop.write(merge(ADA, BOB, 6, event_id="m2"), at_ms(6))
    shop.write(erasure(CY, 2, event_id="e1"), at_ms(6))
    shop.work(0)  # ada's arrival
    shop.work(1)  # goes on, since bob is an alias
    shop.work(2)  # of nobody, but this is told behind it
    shop.write(orders(ADA, 4)[0], at_ms(6))
    shop.work(0)  # this event goes to bob alone
    shop.write(erasure(BOB, 5, event_id="e2"), at_ms(6))
    for _ in range(4):
        shop.work(1)
    shop.settle()
    assert shop.states == {}
    assert shop.identities[name_of(ADA)].erased_ms == at_ms(6)
    assert list(shop.do(*orders(ADA, 7)).states) == [ADA]


@pytest.mark.parametrize("topics_first", [(PROFILES,), (PURCHASES,)])
def test_after_a_loss_of_redis_an_event_counts_once_on_whichever_side_of_a_merge_it_comes_then(shop, topics_first):
    saved = shop.do(*orders(ADA, 0), *orders(BOB, 0)).saved()
    shop.do(*orders(ADA, 2), merge(ADA, BOB, 3, event_id="m"), *orders(ADA, 4))
    shop.come_back_older(saved, topics_first)
    shop.settle()
    assert {customer: purchases(shop, customer) for customer in shop.states} == {BOB: 4}


@pytest.mark.parametrize("customer", ["\u00e9" * 64, "{7}", "*", "two words", "a:b:c", "'\"\\", "nobody"])
def test_any_id_is_erased_and_merged_known_or_not(customer):
    shop = Shop(partitions=1)
    shop.do(*([] if customer == "nobody" else orders(customer, 0)), merge(customer, "zoe", 1, event_id="m"))
    shop.do(*orders(customer, 2), erasure(customer, 3, event_id="e"), erasure("zoe", 3, event_id="e2"))
    assert (shop.states, reasons(shop)) == ({}, [])


@pytest.mark.parametrize(
    ("changes", "reason"), [({"state": b"short"}, "invalid_field"), ({"layout": "another"}, "invalid_field")]
)
def test_an_arrival_that_is_none_is_a_dead_letter(shop, changes, reason):
    shop.do(*orders(ADA, 0), merge(ADA, BOB, 1, event_id="m"))
    (sent,) = [message for message in shop.worlds[0].outbox.outgoing() if message.topic == REROUTED]
    arrival = msgspec.structs.replace(msgspec.json.decode(sent.value, type=Arrival), event_id="forged", **changes)
    forged = msgspec.structs.replace(sent, value=msgspec.json.encode(arrival))
    shop.worlds[1].apply(shop.worlds[1].rerouted(forged), [at_ms(3)])
    assert reasons(shop) == [reason]
    assert purchases(shop, BOB) == 1
