"""Scanned records as the facts that are folded: what `stream.features.facts_of_events` says of decoded events."""

import numpy as np
from numpy.typing import NDArray

from schemas.money import BILLIONTHS
from stream.columns.grammar import SLOT
from stream.columns.hashing import hashes_of
from stream.columns.scanning import Records, Scanned
from stream.columns.texts import codes_in, first_of
from stream.features.facts import (
    LOYALTY_CHANGE,
    PROFILE,
    PURCHASE,
    REFUND,
    REVIEW,
    SESSION,
    U4_MAX,
    Envelopes,
    EventFacts,
    blank_facts,
)
from stream.features.order_facts import LineColumns, columns_of_lines, rounded
from stream.features.vocabulary import CATEGORIES_MAX, OTHER, Vocabulary

IntArray = NDArray[np.int64]


def envelopes_in(records: Records, data: NDArray[np.uint8]) -> Envelopes:
    """What all scanned records have; of what was not taken it means nothing."""
    return Envelopes(records.kind.astype(np.uint8), records.time_ms, hashes_of(data, records.id_start, records.id_end))


def facts_in(scanned: Scanned, data: NDArray[np.uint8], vocabulary: Vocabulary, exponent: int) -> EventFacts:
    """The facts of scanned records; those of what was not taken mean nothing.

    Args:
        scanned: what a scan has found.
        data: the bytes that it scanned.
        vocabulary: the declared names.
        exponent: decimal places of the reporting currency.
    """
    envelopes = envelopes_in(scanned.records, data)
    facts = blank_facts(np.zeros(len(envelopes.kind), np.intp), envelopes)
    fill_facts(facts, scanned, data, vocabulary, exponent)
    return facts


def fill_facts(
    facts: EventFacts, scanned: Scanned, data: NDArray[np.uint8], vocabulary: Vocabulary, exponent: int
) -> None:
    """Put what events have by their kinds into columns that are blank; else as `facts_in`."""
    records, kind = scanned.records, facts.kind
    _fill_orders(facts, scanned, data, vocabulary, exponent)
    for of, slot in ((SESSION, "duration_ms"), (REVIEW, "rating"), (LOYALTY_CHANGE, "points")):
        at = np.flatnonzero(kind == of)
        if len(at):
            facts.value[at] = scanned.details[records.detail[at], SLOT[slot], 0]
    facts.value[kind == SESSION] = (facts.value[kind == SESSION] + 500) // 1000  # ms
    at = np.flatnonzero(kind == LOYALTY_CHANGE)
    if len(at):
        tiers = scanned.details[records.detail[at], SLOT["tier"]]
        facts.tier[at] = codes_in(data, tiers, vocabulary.codes["loyalty_tiers"], OTHER)
    at = np.flatnonzero(kind == PROFILE)
    if len(at):
        _fill_profiles(facts.profile, at, scanned.details[records.detail[at]], data, vocabulary)


def _fill_orders(
    facts: EventFacts, scanned: Scanned, data: NDArray[np.uint8], vocabulary: Vocabulary, exponent: int
) -> None:
    at = np.flatnonzero((facts.kind == PURCHASE) | (facts.kind == REFUND))
    if not len(at):
        return
    lines, counts = scanned.lines, (scanned.records.past_lines - scanned.records.first_line)[at]
    first, product = first_of(data, lines.product_start, lines.product_end)
    product_hash = np.maximum(hashes_of(data, lines.product_start[first], lines.product_end[first]), 1)
    slots: dict[str | None, int] = {**vocabulary.category_slots}
    columns = columns_of_lines(
        LineColumns(
            counts=counts,
            bought=facts.kind[at] == PURCHASE,
            pieces=np.abs(lines.quantity),
            price=lines.price,
            discount=lines.discount,
            slot=codes_in(data, np.column_stack([lines.category_start, lines.category_end]), slots, CATEGORIES_MAX),
            product=product_hash[product],
        ),
        exponent,
    )
    for name, values in columns.items():
        getattr(facts, name)[at] = values
    facts.channel[at] = scanned.records.channel[at]


def _fill_profiles(
    profile: NDArray[np.void], at: NDArray[np.intp], details: IntArray, data: NDArray[np.uint8], vocabulary: Vocabulary
) -> None:
    """Rows of `PROFILE_FACTS`. Where a number is given, a 1 stands beside it."""
    income, age, consent = (details[:, SLOT[name]] for name in ("income", "age", "consent"))
    whole = np.minimum(rounded(income[:, 0], 10**BILLIONTHS), U4_MAX - 1)
    profile["income"][at] = whole + income[:, 1]
    profile["age"][at] = age[:, 0] + age[:, 1]
    profile["consent"][at] = consent[:, 0] + consent[:, 1]
    profile["preferred_channel"][at] = details[:, SLOT["preferred_channel"], 0]
    for column, field, names in _NAMES:
        profile[column][at] = codes_in(data, details[:, SLOT[field]], vocabulary.codes[names], OTHER)


_NAMES = (
    ("gender", "gender", "genders"),
    ("region", "region", "regions"),
    ("education", "education", "educations"),
    ("profile_tier", "loyalty_tier", "loyalty_tiers"),
    ("time_zone", "time_zone", "time_zones"),
)
"""Column of `PROFILE_FACTS`, field of `Profile`, list of `Vocabulary`."""
