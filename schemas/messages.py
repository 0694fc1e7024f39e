"""What Ebb says: alerts, segment changes, and the labels its learner reads (docs/events.md)."""

from typing import Literal

from msgspec import Struct


class Message(Struct, frozen=True, kw_only=True, tag_field="type"):
    """The fields all messages share.

    `message_id` is the same whenever the same decision is sent again. `sequence` grows by one with each message of
    `partition`.
    """

    message_id: str
    partition: int
    sequence: int
    schema_version: int = 1


class ChurnAlertOpened(Message, frozen=True, kw_only=True, tag="churn-alert.opened"):
    """A customer has probably left.

    `episode_ms` is the last purchase, which began the silence; `value_at_risk` a decimal string in major units of
    `currency`; `reasons` are sentences, the heaviest first; `model` and `model_version` name what gave `probability`.
    """

    customer_id: str
    opened_ms: int
    episode_ms: int
    probability: float
    value_at_risk: str
    currency: str
    reasons: list[str]
    model: str
    model_version: str


class ChurnAlertClosed(Message, frozen=True, kw_only=True, tag="churn-alert.closed"):
    """The alert `opened_message_id` no longer holds: the customer bought, the probability fell, or the id is gone."""

    customer_id: str
    closed_ms: int
    episode_ms: int
    opened_message_id: str
    cause: Literal["purchase", "probability", "erased", "merged"]
    probability: float | None = None


class SegmentChanged(Message, frozen=True, kw_only=True, tag="segment-change"):
    """A customer went from the segment `left` to the segment `entered`."""

    customer_id: str
    changed_ms: int
    left: str
    entered: str
    model_version: str


class Label(Message, frozen=True, kw_only=True, tag="label"):
    """What became of a snapshot: `value` is 1 when `outcome` came true after `snapshot_ms` until `horizon_ms`, else 0.

    `columns` are the model columns at the snapshot in the order of `layout`, `scores` the probability each candidate
    gave then. `message_id` is the label's id: the learner drops repeats by it. `question` is the checksum of the
    outcome's declaration, 0 in labels of older workers: under one name something else may have been asked before.
    """

    customer_id: str
    outcome: str
    snapshot_ms: int
    horizon_ms: int = 0
    matured_ms: int
    value: float
    columns: list[float]
    scores: dict[str, float]
    layout: str
    question: int = 0


class EpochPassed(Message, frozen=True, kw_only=True, tag="epoch-passed"):
    """All labels of `day` (days since 1970, UTC) of this partition are in the log before this message."""

    day: int


class DriftNoticed(Struct, frozen=True, kw_only=True, tag_field="type", tag="drift"):
    """A distribution has moved: `measure` of `subject` is `value`, above `limit`, when a week ended at `noticed_ms`.

    `subject` is an outcome or a column. The learner says it, which has no place in an outbox; `message_id` is the same
    whenever the same is said again.
    """

    message_id: str
    subject: str
    measure: Literal["column_stability", "score_stability", "loss_rise", "calibration_shift"]
    value: float
    limit: float
    noticed_ms: int
    schema_version: int = 1


class ModelDecision(Struct, frozen=True, kw_only=True, tag_field="type", tag="model-decision"):
    """What a person has decided about the models of `outcome`, or "segments"; written by `ebb models`, in no outbox.

    `message_id` is the decision's own: it is taken once. `candidate` is whom it is about, "" for unpin and rollback;
    `digest` the SHA-256 of the sealed challenger that is admitted, in hexadecimal.
    """

    message_id: str
    outcome: str
    action: Literal["promote", "pin", "unpin", "rollback", "admit", "withdraw"]
    candidate: str = ""
    digest: str = ""
    decided_ms: int
    decided_by: str = ""
    schema_version: int = 1


LabelRecord = Label | EpochPassed | ModelDecision
"""What the topic `labels` carries."""

AnyMessage = ChurnAlertOpened | ChurnAlertClosed | SegmentChanged | Label | EpochPassed | DriftNoticed | ModelDecision
