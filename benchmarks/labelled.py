"""Histories lived through in process, and what models said of their labels: for measuring learners."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from ebb.backtest.machine import Moment, live_through
from ebb.compose.offline import shop_of
from ebb.simulate import TOPICS, ShopSettings
from ebb.simulate import Shop as SimulatedShop
from offline.history import History
from schemas.decode import DECODERS
from schemas.events import Event
from schemas.messages import DriftNoticed, Label
from schemas.units import DAY_MS
from stream.scoring.documents import OutcomeDocument
from stream.settings.load import load_offline_settings

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

SURE = 1e-12  # who was certain and wrong is charged 27.6 nats


@dataclass(frozen=True)
class Lived:
    """What living through a history leaves.

    Attributes:
        labels: all that became known, in the order in which they did.
        serving: (outcome, midnight in ms) -> the candidate that served then.
        documents: midnight in ms -> outcome -> what was in force, of those that were asked for.
        noticed: drift.
    """

    labels: Sequence[Label]
    serving: Mapping[tuple[str, int], str | None]
    documents: Mapping[int, Mapping[str, OutcomeDocument]]
    noticed: Sequence[DriftNoticed]


def lived(history: History, currency: str, received_ms: int, wanted_ms: Collection[int] = ()) -> Lived:
    """Live through a history with the outcomes that come with Ebb.

    Args:
        history: in the order of time.
        currency: of its amounts.
        received_ms: when its records count as having been received, ms since 1970.
        wanted_ms: midnights of which the documents in force are kept.
    """
    labels: list[Label] = []
    serving: dict[tuple[str, int], str | None] = {}
    documents: dict[int, dict[str, OutcomeDocument]] = {}

    def look(moment: Moment) -> None:
        labels.extend(moment.labels)
        for name, document in moment.models.outcomes.items():
            serving[name, moment.time_ms] = document.serving
        if moment.time_ms in wanted_ms:
            documents[moment.time_ms] = dict(moment.models.outcomes)

    shop = shop_of(msgspec.structs.replace(load_offline_settings(), currency=currency), received_ms)
    noticed = live_through(history, shop, look).noticed
    return Lived(labels, serving, documents, noticed)


def simulated(settings: ShopSettings) -> History:
    """The events of a simulated shop, in the order of time."""
    events: list[Event] = []
    for sent in SimulatedShop(settings).slices():
        for topic, value in zip(sent.topic.tolist(), sent.values, strict=True):
            events.append(cast(Event, DECODERS[TOPICS[topic]].decode(value)))
    return History(sorted(events, key=lambda event: (event.event_time_ms, event.event_id)))


def stored(labels: Sequence[Label], candidate: str) -> FloatArray:
    """What a candidate's score was, stored with each label; nan where it gave none."""
    return np.array([label.scores.get(candidate, np.nan) for label in labels])


def happened(labels: Sequence[Label]) -> BoolArray:
    """Whether each outcome came true."""
    return np.array([label.value >= 0.5 for label in labels], np.bool_)


def snapshot_days(labels: Sequence[Label]) -> NDArray[np.int64]:
    """The day of each snapshot, since 1970."""
    return np.array([label.snapshot_ms // DAY_MS for label in labels], np.int64)


def log_losses(said: FloatArray, true: BoolArray) -> FloatArray:
    """The log loss of each probability, in nats."""
    bounded = np.clip(said, SURE, 1 - SURE)
    each: FloatArray = -np.log(np.where(true, bounded, 1 - bounded))
    return each
