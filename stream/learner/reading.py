"""Records of the labels topic as bytes: what may be taught, and what somebody else has written there."""

import msgspec

from schemas.messages import Label, LabelRecord
from stream.features.columns import MODEL_COLUMNS
from stream.features.layout import LAYOUT

END_MS = 253_402_300_800_000  # the year 10000, which no clock record reaches

_decoder = msgspec.json.Decoder(LabelRecord)


def read_label_record(value: bytes | None) -> LabelRecord:
    """The record in a value of the topic.

    Raises:
        msgspec.DecodeError: it is none, or a label that no worker writes; or another of `schemas.misfits.MALFORMED`.
    """
    record: LabelRecord = _decoder.decode(value or b"")
    if isinstance(record, Label):
        _check(record)
    return record


def _check(label: Label) -> None:
    if label.layout == LAYOUT and len(label.columns) != len(MODEL_COLUMNS):
        raise msgspec.ValidationError(f"{len(label.columns)} columns, where the layout has {len(MODEL_COLUMNS)}")
    for name in ("snapshot_ms", "matured_ms"):
        if not 0 <= getattr(label, name) < END_MS:
            raise msgspec.ValidationError(f"{name} {getattr(label, name):,} is not from 0 to {END_MS:,}")
