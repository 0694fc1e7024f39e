"""A customer's segment, its members' index, and the message when it changes."""

import numpy as np
from numpy.typing import NDArray

from schemas.messages import SegmentChanged
from schemas.topics import SEGMENT_CHANGES
from stream.actions.acting import Acting
from stream.chunk import BoolArray, RowArray
from stream.customers.segments import SEGMENTS, UNSEGMENTED
from stream.decisions import Asked, Decisions
from stream.drafts import message_id

RULE_VERSION = "1"  # part of every change's id
ORDINALS = 256  # the ordinal is stored in one byte

Codes = NDArray[np.integer]
"""Places in `SEGMENTS`."""


def move(asked: Asked, decisions: Decisions, acting: Acting) -> None:
    """Give customers their segments. The first assignment after `Unsegmented` is no change.

    A change's id holds the last purchase and how many changes came since: silence may lead a customer through several
    segments, and back with another model.
    """
    block, first_seen = asked.block, asked.block["last_decision_ms"] == 0
    before = block["segment"].copy()
    moved = decisions.segment != before
    _follow(asked.rows, before, decisions.segment, moved | first_seen, first_seen, acting)
    if not moved.any():
        return
    changed = moved & (before != UNSEGMENTED)
    bought_since = asked.last_purchase_ms > block["segment_since_ms"]
    ordinal = np.where(bought_since, 0, (block["segment_changes"].astype(np.int64) + 1) % ORDINALS)
    block["segment_changes"] = np.where(changed, ordinal, block["segment_changes"])
    block["segment_since_ms"] = np.where(moved, asked.now_ms, block["segment_since_ms"])
    block["segment"] = decisions.segment
    for at in changed.nonzero()[0].tolist():
        _announce(at, SEGMENTS[before[at]], asked, acting)


def _follow(
    rows: RowArray, before: Codes, after: Codes, moves: BoolArray, first_seen: BoolArray, acting: Acting
) -> None:
    """Let the index of each segment's members follow those who move."""
    moving = moves.nonzero()[0]
    columns = [values[moving].tolist() for values in (rows, before, after, first_seen)]
    for row, left, entered, is_first in zip(*columns, strict=True):
        source = None if is_first else SEGMENTS[left]
        acting.changes.segment_moves.append((acting.customers[row], source, SEGMENTS[entered]))


def _announce(at: int, left: str, asked: Asked, acting: Acting) -> None:
    row, block = int(asked.rows[at]), asked.block
    customer, entered = acting.customers[row], SEGMENTS[block["segment"][at]]
    episode = int(asked.last_purchase_ms[at]), int(block["segment_changes"][at])
    acting.announcer.say(
        row, "segment-change", SEGMENT_CHANGES, SegmentChanged,
        message_id=message_id("segment-change", RULE_VERSION, customer, left, entered, *episode),
        changed_ms=int(asked.now_ms[at]),
        left=left,
        entered=entered,
        model_version=acting.models.segments.version if acting.models.segments else "",
    )  # fmt: skip
    acting.changes.count("segment_changes")
