"""What the time machine hands to its learners is what a worker's label messages would have told them."""

from dataclasses import replace

import numpy as np

from ebb.backtest.labels_of_a_day import label_rows
from ebb.backtest.machine import Moment, live_through
from ebb.compose.offline import shop_of
from stream.learning.label_rows import LabelRows
from stream.settings.worker import WorkerSettings
from tests.integration.retail import first_events

EVENTS = 3_000  # a month: labels of purchase_7d enough for a model to serve


def test_labels_as_columns_are_those_of_the_messages_in_the_order_of_lockstep() -> None:
    history = first_events(EVENTS)
    seen: set[str] = set()

    def look(moment: Moment) -> None:
        if moment.matured is None:
            return
        names = sorted(moment.customers)
        rank = np.array([names.index(customer) for customer in moment.customers])
        found = label_rows(moment.matured, rank, moment.outcomes.names)
        labels = sorted(moment.labels, key=lambda label: (label.matured_ms, label.customer_id, label.snapshot_ms))
        assert set(found) == {label.outcome for label in labels}
        for outcome, rows in found.items():
            expected = LabelRows.of([label for label in labels if label.outcome == outcome])
            assert set(rows.candidates) == set(expected.candidates)
            seen.update({outcome} if expected.candidates else ())
            for name in expected.candidates:
                np.testing.assert_array_equal(rows.said(name), expected.said(name))
            for column in ("snapshot_ms", "matured_ms", "happened", "columns"):
                np.testing.assert_array_equal(getattr(rows, column), getattr(expected, column))

    shop = shop_of(WorkerSettings(), received_ms=history.events[-1].event_time_ms)
    live_through(history, shop, look)
    assert "purchase_7d" in seen, "the history is too short for labels with scores"


def test_repeats_change_nothing() -> None:
    history = first_events(400)
    shop = shop_of(WorkerSettings(), received_ms=history.events[-1].event_time_ms)
    moments: list[tuple[int, int, bytes]] = []

    def keep(moment: Moment) -> None:
        moments.append((moment.time_ms, len(moment.customers), moment.states.tobytes()))

    live_through(history, shop, keep)
    undisturbed, moments = moments, []
    last = history.events[-1]
    more = [event for each in history.events for event in (each, each)]
    live_through(replace(history, events=more), shop, keep)
    assert moments == undisturbed
    assert moments[-1][0] == last.event_time_ms
