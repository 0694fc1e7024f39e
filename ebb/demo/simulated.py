"""The end of the demo: a simulated shop, live in fast motion, in a deployment of its own.

A day passes in a second, so that silence can be watched: alerts open because nothing came, while purchases and visits
go on. The first months of the shop are replayed at once before, so that there are models.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from time import monotonic

import msgspec
import numpy as np
from kafka import KafkaConsumer, TopicPartition

from ebb.demo.deployment import PARTITIONS, DemoDeployment, Ports
from ebb.demo.watching import looks
from ebb.services.ports import free_port
from ebb.simulate import TOPICS, Shop, ShopSettings, Slice
from ebb.simulate.draws import IntArray
from ebb.simulate.history import publish_history
from ebb.simulate.population import NEVER
from ebb.simulate.publishing import publish_in_motion
from offline.broker import broker_errors, end_offsets
from schemas.messages import ChurnAlertClosed, ChurnAlertOpened
from schemas.topics import CHURN_ALERTS, PURCHASES
from schemas.units import DAY_MS

NAME = "simulated"
CUSTOMERS, PAST_DAYS, SECONDS = 1_300, 200, 20
SECONDS_PER_DAY = 1.0
POLL_MS = 50
LAST_ALERTS_S = 0.5  # the last moment's alerts are on their way

Alert = ChurnAlertOpened | ChurnAlertClosed
_decoder = msgspec.json.Decoder(Alert)


@dataclass
class Show:
    """What is seen of the shop, growing while it is watched.

    Attributes:
        seconds: of the show.
        days: of the shop.
        time_ms: how far the shop's time is.
        purchases: and refunds, sent.
        engagement: everything else that was sent: visits, mails, reviews, profiles.
        opened: alerts, as they came.
        closed: alerts that ended.
        by_silence: alerts opened on a day on which nothing at all had come from the customer before.
        had_left: of the customers whose alert opened, how many had dropped out by then, by the shop's hidden truth.
    """

    seconds: float = 0.0
    days: int = 0
    time_ms: int = 0
    purchases: int = 0
    engagement: int = 0
    opened: list[ChurnAlertOpened] = field(default_factory=list)
    closed: list[ChurnAlertClosed] = field(default_factory=list)
    by_silence: int = 0
    had_left: int = 0

    @property
    def figures(self) -> dict[str, int | float]:
        """What `ebb demo --json` prints of it."""
        return {
            "customers": CUSTOMERS,
            "seconds": round(self.seconds, 1),
            "days": self.days,
            "purchases": self.purchases,
            "engagement": self.engagement,
            "churn_alerts": len(self.opened),
            "by_silence_alone": self.by_silence,
            "had_left": self.had_left,
            "closed": len(self.closed),
        }


class Watcher:
    """Whoever shows the show: told what happens, in one thread."""

    def preparing(self, applied: int, total: int) -> None:
        """So many events of the shop's past are applied."""

    def begins(self, show: Show) -> None:
        """From now on it is live."""

    def alert(self, show: Show, alert: Alert) -> None:
        """An alert has arrived from Kafka."""

    def time_passes(self, show: Show) -> None:
        """A moment has gone by."""


def run_show(folder: Path, watcher: Watcher) -> Show:
    """Prepare a simulated shop and let it be live for `SECONDS`; nothing is left running.

    Raises:
        EbbError: a process failed.
    """
    deployment = DemoDeployment(folder, Ports(free_port(), free_port()), "GBP", stay=False, name=NAME)
    shop = Shop(
        ShopSettings(
            customers=CUSTOMERS,
            days=PAST_DAYS + round(SECONDS / SECONDS_PER_DAY),
            # Fewer and shorter visits than the defaults: the past is replayed while somebody waits.
            browsing_per_need=0.5,
            browsing_while_planning=0.3,
            pages_mean=1.0,
            lines_mean=2.0,
            guest_share=0.05,
        )
    )
    try:
        watcher.preparing(0, 0)
        deployment.start({"EBB_CLOCK": "replay"})
        slices = shop.slices()
        _replay_past(deployment, list(islice(slices, PAST_DAYS)), watcher)
        return _live(deployment, shop, list(slices), watcher)
    finally:
        deployment.stop()


def _replay_past(deployment: DemoDeployment, past: list[Slice], watcher: Watcher) -> None:
    servers, total = [deployment.broker.address], sum(map(len, past))
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="publish") as background:
        publishing = background.submit(publish_history, past, servers, PARTITIONS)
        for look in looks(servers, deployment.redis.address, publishing, deployment):
            watcher.preparing(look.events, total)


def _live(deployment: DemoDeployment, shop: Shop, days: list[Slice], watcher: Watcher) -> Show:
    servers, show, timetable = [deployment.broker.address], Show(days=len(days)), Timetable.of(days)
    with (
        broker_errors(servers),
        closing(KafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False)) as consumer,
        ThreadPoolExecutor(max_workers=1, thread_name_prefix="shop") as background,
    ):
        _read_from_now_on(consumer, servers)
        watcher.begins(show)
        began_s = monotonic()
        sending = background.submit(publish_in_motion, days, servers, PARTITIONS, SECONDS_PER_DAY)
        while not sending.done() or monotonic() - began_s < SECONDS + LAST_ALERTS_S:
            deployment.check_processes()
            timetable.tell(show, monotonic() - began_s)
            for records in consumer.poll(timeout_ms=POLL_MS).values():
                for record in records:
                    _note(show, _decoder.decode(record.value), watcher)
            watcher.time_passes(show)
        sending.result()
    show.by_silence, show.had_left = _by_silence(shop, days, show), _had_left(shop, show)
    return show


def _read_from_now_on(consumer: KafkaConsumer, servers: list[str]) -> None:
    ends = {TopicPartition(*place): end for place, end in end_offsets(servers, (CHURN_ALERTS,)).items()}
    consumer.assign(list(ends))
    for place, end in ends.items():
        consumer.seek(place, end)


def _note(show: Show, alert: Alert, watcher: Watcher) -> None:
    if isinstance(alert, ChurnAlertOpened):
        show.opened.append(alert)
    else:
        show.closed.append(alert)
    watcher.alert(show, alert)


@dataclass(frozen=True)
class Timetable:
    """When each event of the live days is sent, ms since 1970, ascending."""

    begin_ms: int
    end_ms: int
    purchases_ms: IntArray
    engagement_ms: IntArray

    @classmethod
    def of(cls, days: list[Slice]) -> "Timetable":
        """The timetable of these days."""
        sent_ms = np.concatenate([day.sent_ms for day in days])
        bought = np.concatenate([day.topic for day in days]) == TOPICS.index(PURCHASES)
        return cls(days[0].begin_ms, days[-1].end_ms, sent_ms[bought], sent_ms[~bought])

    def tell(self, show: Show, gone_s: float) -> None:
        """Bring the show's numbers up to so many seconds after its beginning."""
        show.seconds = min(gone_s, SECONDS)
        show.time_ms = min(self.begin_ms + int(gone_s / SECONDS_PER_DAY * DAY_MS), self.end_ms)
        show.purchases, show.engagement = (
            len(times) if show.time_ms == self.end_ms else int(np.searchsorted(times, show.time_ms))
            for times in (self.purchases_ms, self.engagement_ms)
        )


def _by_silence(shop: Shop, days: list[Slice], show: Show) -> int:
    """How many alerts opened although nothing had come from the customer in the 24 hours before."""
    sent_ms = np.concatenate([day.sent_ms for day in days])
    customer = np.concatenate([day.customer for day in days])
    place = {name: number for number, name in enumerate(shop.world.people.ids)}
    times = (sent_ms[customer == place[alert.customer_id]] - alert.opened_ms for alert in show.opened)
    return sum(not ((since <= 0) & (since > -DAY_MS)).any() for since in times)


def _had_left(shop: Shop, show: Show) -> int:
    """How many of the alerted customers had dropped out when their alert opened, by the hidden truth."""
    people = shop.world.people
    place = {customer: number for number, customer in enumerate(people.ids)}
    gone_ms = [int(people.dropped_out_ms[place[alert.customer_id]]) for alert in show.opened]
    return sum(ms != NEVER and ms <= alert.opened_ms for ms, alert in zip(gone_ms, show.opened, strict=True))
