"""Erasures and merges that cross within milliseconds, each the smallest history that once came to something else."""

import pytest

from offline.history import History
from offline.verify import compare, recompute
from schemas.topics import PROFILES, PURCHASES, REROUTED
from stream.features.stored import unpack
from stream.identities.known import UNKNOWN, name_of
from tests.property.test_identities_law import events_of
from tests.shop_of_partitions import Shop, at_ms, erasure, merge
from tests.world import RULES, purchase

MILLISECOND = 0.001  # of a day; the times below are so many after the beginning
TOPICS = {"identity": PROFILES, "event": PURCHASES, "sent": REROUTED}

CROSSING = {
    "an event went with a merge that is ended before it has come round": (
        "merge bob cy 1; erase bob 2; merge cy bob 3; buy cy 4",
        "1 event",
    ),
    "who is told of the end by an event was told of it by less than what went with the merge": (
        "merge ada cy 1; merge bob ada 3; erase ada 4; buy bob 5; buy bob 8",
        "2 identity; 1 sent; 2 identity; 0 event; 0 identity; 1 sent",
    ),
    "a merge that does not hold is ended while what went with it is on its way": (
        "merge cy ada 2; erase cy 3; merge ada cy 4; buy ada 8",
        "2 event",
    ),
    "an older merge comes round behind a newer one of the same id": (
        "buy bob 1; merge dora bob 2; merge bob dora 3; merge bob cy 4; erase dora 5",
        "0 identity; 1 identity; 0 sent; 1 sent",
    ),
    "an erasure that came back follows a newer merge, ahead of what went with it": (
        "merge cy dora 1; merge cy bob 4; merge bob cy 5; erase dora 6; erase cy 7; buy cy 8; merge cy bob 9",
        "1 identity; 1 sent; 1 event; 1 identity; 1 identity; 1 identity; 1 sent; 1 sent; "
        "0 identity; 1 identity; 1 sent",
    ),
    "who is erased has others by way of a merge that nobody else has told of": (
        "merge cy dora 1; erase dora 2; merge bob dora 4; erase cy 6; merge dora cy 8; buy bob 11",
        "1 identity; 1 identity",
    ),
}
"""What happens, in order, and who works on which topic before everybody works off what is left."""


def written(text):
    kind, *customers, time = text.split()
    day, name = int(time) * MILLISECOND, f"{kind} {time}"
    match kind:
        case "merge":
            return merge(*customers, day, event_id=name)
        case "erase":
            return erasure(*customers, day, event_id=name)
        case _:
            return purchase(*customers, day, event_id=name)


def crossed(history, works=""):
    shop = Shop(chunk=1)
    for record in history:
        shop.write(record, record["event_time_ms"])
    for work in filter(None, works.split("; ")):
        number, topic = work.split()
        shop.work(int(number), TOPICS[topic])
    return shop.settle()


def purchases(shop, customer):
    return int(unpack([shop.states[customer]])["features"]["purchases"][0])


@pytest.mark.parametrize("what", CROSSING)
def test_every_event_is_where_the_identities_say_and_whatever_was_to_be_erased_is(what):
    happens, works = CROSSING[what]
    history = [written(each) for each in happens.split("; ")]
    shop = crossed(history, works)
    events = events_of([(record, record["event_time_ms"]) for record in history])
    expected = recompute(History(events), 3, RULES, at_ms(4_000), identities=shop.identities)
    assert list(compare(expected, shop.states).mismatches) == []
    for record in history:
        if record["type"] == "erasure":
            erased_ms = shop.identities.get(name_of(record["customer_id"]), UNKNOWN).erased_ms
            assert erased_ms >= record["event_time_ms"]


def test_a_merge_that_is_asked_for_again_while_the_end_of_the_first_is_on_its_way_holds():
    history = list(map(written, ("merge bob ada 1", "erase bob 2", "buy bob 3", "merge bob ada 4")))
    shop = crossed(history).do(written("buy ada 5"), written("buy bob 6"))
    assert {customer: purchases(shop, customer) for customer in shop.states} == {"ada": 3}
    assert shop.do(written("erase bob 7")).states == {}


def test_a_merge_that_was_asked_for_twice_before_an_erasure_ends_with_it():
    shop = crossed(list(map(written, ("merge bob ada 1", "merge bob ada 2", "erase ada 3", "buy bob 4"))))
    assert list(shop.states) == ["bob"]
    assert not any(identity.into or identity.others for identity in shop.identities.values())
