"""The columns models read: features made comparable. A new one is one entry in this file.

What measured well (docs/architecture.md, "Learning"): logarithms, hinges of the logarithm of silence, no calendar
columns. Where a feature is unknown its column is 0. Standardising and clipping are the model's part.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from stream.features.scored import SCORED

Concept = Literal["silence", "frequency", "spend", "engagement", "age", "refunds"]


@dataclass(frozen=True)
class Logged:
    """log1p(feature / unit): differences of ratios, since customers differ by orders of magnitude."""

    concept: Concept
    feature: str
    unit: float = 1.0

    @property
    def name(self) -> str:
        """The column's name."""
        return f"log_{self.feature}"


@dataclass(frozen=True)
class Plain:
    """The feature as it is: shares."""

    concept: Concept
    feature: str

    @property
    def name(self) -> str:
        """The column's name."""
        return self.feature


@dataclass(frozen=True)
class Fresh:
    """1 / (1 + days / 7): 1 now, a half after a week, 0 never. An unknown time since needs no separate flag."""

    concept: Concept
    feature: str

    @property
    def name(self) -> str:
        """The column's name."""
        return f"fresh_{self.feature.removeprefix('since_last_').removesuffix('_days')}"


@dataclass(frozen=True)
class Hinge:
    """How far log1p(feature) is above log1p(knot), else 0: lets a line bend at the knot."""

    concept: Concept
    feature: str
    knot: float

    @property
    def name(self) -> str:
        """The column's name."""
        return f"log_{self.feature}_above_{self.knot:g}"


MAJOR = 100.0
"""Minor units; only sets where log1p bends from linear to logarithmic, so one number does for all currencies."""

FRESH_DAYS = 7.0  # after which what happened is half as fresh

LOGGED = (
    Logged("silence", "since_last_purchase_days"),
    Logged("silence", "silence_over_gap"),
    Logged("frequency", "mean_gap_days"),
    Logged("frequency", "purchase_days"),
    Logged("frequency", "decayed_count_7d"),
    Logged("frequency", "decayed_count_30d"),
    Logged("frequency", "decayed_count_90d"),
    Logged("frequency", "decayed_count_365d"),
    Logged("spend", "decayed_spend_30d_minor", MAJOR),
    Logged("spend", "decayed_spend_90d_minor", MAJOR),
    Logged("spend", "decayed_spend_365d_minor", MAJOR),
    Logged("spend", "mean_basket_minor", MAJOR),
    Logged("age", "since_first_purchase_days"),
    Logged("refunds", "decayed_refund_365d_minor", MAJOR),
    Logged("engagement", "browsing_count"),
    Logged("engagement", "add_to_cart_count"),
    Logged("engagement", "answer_count"),
    Logged("engagement", "support_contact_count"),
    Logged("engagement", "mean_session_minutes"),
)
PLAIN = (
    Plain("refunds", "refund_share"),
    Plain("spend", "discount_share"),
    Plain("spend", "in_store_share"),
    Plain("spend", "app_share"),
    Plain("engagement", "email_open_share"),
    Plain("engagement", "dissatisfaction"),
)
FRESH = (
    Fresh("engagement", "since_last_browsing_days"),
    Fresh("engagement", "since_last_add_to_cart_days"),
    Fresh("engagement", "since_last_answer_days"),
)
HINGES = (
    Hinge("silence", "since_last_purchase_days", 7),
    Hinge("silence", "since_last_purchase_days", 30),
    Hinge("silence", "since_last_purchase_days", 90),
    Hinge("silence", "since_last_purchase_days", 180),
    Hinge("silence", "silence_over_gap", 1),
    Hinge("silence", "silence_over_gap", 3),
)

MOVING = tuple(entry for entry in LOGGED if entry.feature in SCORED and SCORED[entry.feature].moves)
STANDING = tuple(entry for entry in LOGGED if entry not in MOVING)
ENTRIES: tuple[Logged | Fresh | Hinge | Plain, ...] = (*MOVING, *FRESH, *HINGES, *STANDING, *PLAIN)
"""What moves with time before what stands still."""

MODEL_COLUMNS: tuple[str, ...] = tuple(entry.name for entry in ENTRIES)
CONCEPTS: dict[str, Concept] = {entry.name: entry.concept for entry in ENTRIES}
"""Column -> what a person would call it, for explanations."""

MOVING_COLUMNS = MODEL_COLUMNS[: len(MOVING) + len(FRESH) + len(HINGES)]
FURTHER: tuple[str, ...] = tuple(dict.fromkeys(entry.feature for entry in ENTRIES if entry.feature not in SCORED))
"""Features that models read beside the scored ones; they stand still."""

STEADY_COLUMNS: tuple[str, ...] = (
    "log_decayed_count_7d",
    "log_decayed_count_30d",
    "log_decayed_spend_30d_minor",
    "log_mean_basket_minor",
    *(entry.name for entry in FRESH),
    "log_mean_session_minutes",
    *(entry.name for entry in PLAIN),
)
"""Columns that do not grow with a history: where one of them moves, customers have changed, not its length."""

SEGMENT_COLUMNS = ("silence", "frequency", "spend", "tenure")

SCORED_ROW = np.dtype([(name, "<f8") for name in (*SCORED, *FURTHER)])
"""What decisions go by, of one customer at a time."""
