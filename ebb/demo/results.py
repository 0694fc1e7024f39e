"""What the demo shows at its end, gathered from Redis, Kafka and the history."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from ebb.demo.figures import AlertFigures, alert_figures, changes_per_customer_year, purchases_by_customer
from ebb.following import published
from ebb.lookup import Lookup, Page, SegmentSize, View
from ebb.models.stored import outcome_in_force
from ebb.parity import parity_of
from offline.history import History
from offline.verify import Parity
from schemas.messages import ChurnAlertOpened, SegmentChanged
from schemas.topics import CHURN_ALERTS, SEGMENT_CHANGES
from stream.outcomes.declaration import CHURN_30D, Outcome
from stream.redis_store.inspection import shop_totals
from stream.scoring.documents import FLOORS, HAZARD_MIX, MIX, Judged, OutcomeDocument
from stream.settings.common import CommonSettings
from stream.signing import Keyring

AT_RISK_SHOWN = 10


@dataclass(frozen=True)
class Results:
    """Everything a demo has found out."""

    totals: Mapping[str, int]
    segments: Page[SegmentSize]
    at_risk: Page[View]
    at_risk_by: Outcome
    alerts: AlertFigures
    changes_per_customer_year: float
    model: OutcomeDocument | None
    parity: Parity
    elapsed_s: float

    @property
    def events_per_s(self) -> float:
        """Applied events over the time from the first published to the last applied."""
        return self.totals.get("events", 0) / self.elapsed_s


def gather(history: History, settings: CommonSettings, keyring: Keyring, elapsed_s: float) -> Results:
    """Read everything once the replay is applied.

    Raises:
        EbbError: Redis or Kafka does not answer.
    """
    bought_ms = purchases_by_customer(history.events)
    end_ms = history.summary.last_ms
    messages = published(list(settings.kafka_servers), (CHURN_ALERTS, SEGMENT_CHANGES))
    opened = [message for message in messages if isinstance(message, ChurnAlertOpened)]
    changes = [message for message in messages if isinstance(message, SegmentChanged)]
    totals = shop_totals(settings.redis_url)
    segmented_from_ms = min((change.changed_ms for change in changes), default=end_ms)
    with Lookup(settings.redis_url) as lookup:
        segments, at_risk = lookup.segments(), lookup.at_risk(AT_RISK_SHOWN)
    return Results(
        totals=totals,
        segments=segments,
        at_risk=at_risk,
        at_risk_by=settings.alerted,
        alerts=alert_figures(opened, bought_ms, end_ms),
        changes_per_customer_year=changes_per_customer_year(
            totals.get("segment_changes", 0), bought_ms, segmented_from_ms, end_ms
        ),
        model=outcome_in_force(settings.redis_url, keyring, CHURN_30D.name),
        parity=parity_of(history, settings),
        elapsed_s=elapsed_s,
    )


def as_json(results: Results, simulated: Mapping[str, Any] | None) -> bytes:
    """The one object `ebb demo --json` ends with."""
    totals = results.totals
    return msgspec.json.encode(
        {
            "events": totals.get("events", 0),
            "customers": totals.get("customers", 0),
            "guest_events": totals.get("guest_events", 0),
            "segments": {size.name: size.customers for size in results.segments},
            "churn_alerts": totals.get("churn_alerts", 0),
            "segment_changes": totals.get("segment_changes", 0),
            "dead_letters": totals.get("dead_letters", 0),
            "duplicates": totals.get("duplicates", 0),
            "events_per_s": round(results.events_per_s, 1),
            "churn_model": _model(results.model),
            "parity": {"customers": results.parity.customers, "mismatches": len(results.parity.mismatches)},
            "simulated": simulated,
        }
    )


def _model(document: OutcomeDocument | None) -> dict[str, Any]:
    """How the churn model has done on snapshots it scored itself, and its floors on the same ones."""
    metrics: Mapping[str, Judged] = document.metrics if document else {}
    own = metrics.get(HAZARD_MIX) or metrics.get(MIX)
    return {
        "version": document.version if document else "none",
        "serving": document.serving if document else None,
        "labels": document.labels if document else 0,
        "judged": own.rows if own else 0,
        "auc": own.auc if own else None,
        "log_loss": own.log_loss if own else None,
        "floors": {
            name: {"auc": judged.auc, "log_loss": judged.log_loss} for name, judged in metrics.items() if name in FLOORS
        },
    }
