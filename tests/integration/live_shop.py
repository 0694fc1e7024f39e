"""A small shop that is open: weeks behind it in which some customers fell silent, and events of now."""

import os
import random
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import msgspec
import redis
from kafka.admin import KafkaAdminClient, NewTopic

from ebb.services.processes import start_process
from schemas.messages import Label
from schemas.partition import partition_of
from schemas.topics import ENGAGEMENT, LABELS, PURCHASES
from schemas.units import DAY_MS
from stream.outcomes.declaration import BUILT_IN, Outcome
from stream.redis_store import keys
from stream.scoring.documents import CANDIDATES, ROLLED
from stream.worker.model_watch import model_names
from tests.integration.live_events import now_ms, purchase
from tests.integration.processes import PARTITIONS, Deployment, TestedProcess, send
from tests.unit.learning.label_history import labels

CUSTOMERS = [f"shopper-{number}" for number in range(120)]
DAYS = 70
ORDERS = "shop.orders"  # of the shop's own, mapped by `ebb ingest`
MAP = f"""
[source."{ORDERS}"]
format = "json"

[[event]]
type = "purchase"
from = "{ORDERS}"

[event.fields]
event_id = "number"
customer_id = "buyer"
event_time_ms = {{ path = "at", time = "milliseconds" }}
currency = {{ constant = "GBP" }}

[event.lines]
product_id = {{ constant = "85048" }}
quantity = {{ constant = 1 }}
unit_price = "price"
"""
PAUSE_S = 0.2  # between two portions of live events
SIMULATED = ("--customers", "300", "--events-per-s", "40", "--duplicates", "0.02", "--misrouted", "0.02")


class IngestProcess(TestedProcess):
    """`ebb ingest` with the map of this shop."""

    def prepare(self) -> list[str]:
        map_file = self.folder / "map.toml"
        map_file.write_text(MAP)
        return [sys.executable, "-m", "ebb", "ingest", "--map", str(map_file)]


def start_ingest(shop: Deployment) -> IngestProcess:
    """Make the topic of the shop's own orders, and map them from now on."""
    with closing(KafkaAdminClient(bootstrap_servers=shop.servers)) as admin:
        admin.create_topics([NewTopic(ORDERS, 1, 1)])
    process = IngestProcess("ingest", shop.folder / "ingest", shop.environ())
    process.start()
    shop.processes.append(process)
    return process


def teach(shop: Deployment) -> None:
    """Labels of another time, enough for a model that serves: better than its floors, and sure that silence is bad."""
    told = [_told(label, outcome) for outcome in BUILT_IN for label in labels(800, outcome=outcome.name)]
    scored = (msgspec.structs.replace(label, scores=_scores(label.value, at)) for at, label in enumerate(told))
    send(shop.servers, [(LABELS, msgspec.json.encode(label), 0, None, []) for label in scored])


def _told(label: Label, outcome: Outcome) -> Label:
    """Who is silent stays away, whichever way round the question is put."""
    return label if outcome.true_when == "none" else msgspec.structs.replace(label, value=1.0 - label.value)


def published(redis_url: str) -> bool:
    """Whether every model has a document in force."""
    with redis.Redis.from_url(redis_url) as client:
        versions = [client.hget(keys.model_champion(name), "version") for name in model_names()]
    return all(version not in {None, b"none"} for version in versions)


def _scores(value: float, at: int) -> dict[str, float]:
    """What the candidates had said: the model is right more often than its floors are."""
    shares = dict.fromkeys((*ROLLED, *CANDIDATES), 0.8)
    shares |= {"count_90d": 0.7, "since_last_purchase": 0.6, "base_rate": 0.5}
    return {name: share if (value == 1.0) == (at % 10 != 0) else 1 - share for name, share in shares.items()}


def send_history(shop: Deployment) -> None:
    """Ten weeks in the order they happened; two in five customers stay away in the end."""
    dice = random.Random(7)
    began_ms = now_ms() - DAYS * DAY_MS
    events: list[tuple[int, dict[str, Any]]] = []
    for customer in CUSTOMERS:
        day, last = dice.uniform(0, 12), DAYS - (dice.uniform(35, 50) if dice.random() < 0.4 else 0.1)
        while day < last:
            at_ms, visit = began_ms + round(day * DAY_MS), f"{customer}-{day:.3f}"
            events.append((at_ms, purchase(customer, at_ms, f"p-{visit}")))
            day += dice.uniform(2, 14)
    ordered = [event for _, event in sorted(events, key=lambda entry: entry[0])]
    send(shop.servers, [(topic_of(event), event, None, None, []) for event in ordered])


@contextmanager
def is_open(shop: Deployment) -> Iterator[None]:
    """Events of now until the end of the block: the simulated shop, and what it does not send."""
    closing = threading.Event()

    def serve() -> None:
        portion = 0
        while not closing.wait(PAUSE_S):
            send(shop.servers, [record for event in happening(portion) for record in event])
            portion += 1

    command = [sys.executable, "-m", "ebb", "simulate", "--live", *SIMULATED]
    simulated = start_process(
        command, shop.folder / "simulate.log", tied=True, environ={**os.environ, **shop.environ()}
    )
    selling = threading.Thread(target=serve)
    selling.start()
    try:
        yield
    finally:
        closing.set()
        selling.join()
        said = (shop.folder / "simulate.log").read_text()
        assert simulated.poll() is None, f"the simulated shop has closed: {said}"
        simulated.kill()
        simulated.wait()


def happening(portion: int) -> Iterator[list[tuple[str, Any, int | None, bytes | None, list[Any]]]]:
    """A visit, purchases of old and new customers and a guest, a refund, a label; a repeat, garbage, a stray."""
    customer, new = CUSTOMERS[portion % len(CUSTOMERS)], f"new-{portion}"
    bought, time_ms = purchase(customer, now_ms(), f"live-{portion}"), now_ms()
    guest = {name: value for name, value in purchase("", time_ms, f"guest-{portion}").items() if name != "customer_id"}
    refund = purchase(customer, time_ms, f"refund-{portion}") | {"type": "refund"}
    refund["lines"] = [refund["lines"][0] | {"quantity": -1}]
    for event in (page_view(customer, time_ms, f"view-{portion}"), bought, bought, refund, guest):
        yield [(topic_of(event), event, None if event.get("customer_id") else portion % PARTITIONS, None, [])]
    yield [(PURCHASES, purchase(new, time_ms, f"first-{portion}"), None, None, [])]
    label = msgspec.structs.replace(labels(1, seed=1_000 + portion)[0], scores=_scores(1.0, portion))
    yield [(LABELS, msgspec.json.encode(label), 0, None, [])]
    yield [(PURCHASES, b"{", portion % PARTITIONS, None, [])]
    order = {"number": f"order-{portion}", "buyer": customer, "at": time_ms, "price": 6.95}
    yield [(ORDERS, msgspec.json.encode(order), 0, None, []), (ORDERS, b"{", 0, None, [])]
    stray = f"stray-{portion}"
    elsewhere = (partition_of(stray, PARTITIONS) + 1) % PARTITIONS
    yield [(PURCHASES, purchase(stray, time_ms, stray), elsewhere, None, [])]


def page_view(customer: str, time_ms: int, event_id: str) -> dict[str, Any]:
    return {"type": "page_view", "event_id": event_id, "customer_id": customer, "event_time_ms": time_ms}


def topic_of(event: dict[str, Any]) -> str:
    return ENGAGEMENT if event["type"] == "page_view" else PURCHASES
