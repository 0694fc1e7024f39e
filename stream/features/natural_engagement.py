"""Features of engagement beyond counts and last times, and of profiles. A new one is one entry in this file.

nan is unknown; a share of nothing is 0. A code is a place in a declared list (`stream.features.vocabulary`). What a
profile says is for whoever writes to the customer: no outcome model reads it (docs/architecture.md, "The record").
"""

import numpy as np

from schemas.units import DAY_MS
from stream.features.engagement import PROFILE_ID_BITS
from stream.features.facts import ENGAGEMENT_KINDS, TIMED_TO_THE_SECOND
from stream.features.natural import Column, Formula, Natural, add_column, column


def last_ms_of(n: Natural, slot: int) -> Column:
    """When a kind was last seen, floored to the second or the day; 0 for never."""
    seconds = len(TIMED_TO_THE_SECOND)
    field, place, unit_ms = ("last_s", slot, 1000) if slot < seconds else ("last_day", slot - seconds, DAY_MS)
    last_ms: Column = n.stored("engagement", field)[place] * unit_ms
    return last_ms


@column("minutes")
def session_minutes(n: Natural) -> Column:
    """Length of all sessions together."""
    return n.stored("engagement", "session_s") / 60


def _answered(answers: str, asked: str) -> Formula:
    """Answers over what was asked, at most 1: a mail may be opened twice."""
    return lambda n: np.minimum(n[answers], n[asked]) / np.maximum(n[asked], 1)


add_column(
    "email_click_share", "share", "Links followed over mails sent.", _answered("email_click_count", "email_sent_count")
)
add_column(
    "ad_click_share", "share", "Ads followed over ads shown.", _answered("ad_click_count", "ad_impression_count")
)


@column("stars")
def last_rating(n: Natural) -> Column:
    """Rating of the last review, of several in one second the highest; nan without any."""
    return _known("last_rating")(n)


@column("points")
def points_earned(n: Natural) -> Column:
    """Loyalty points given."""
    return n.stored("engagement", "points_earned")


@column("points")
def points_spent(n: Natural) -> Column:
    """Loyalty points taken."""
    return n.stored("engagement", "points_spent")


@column("points")
def points_balance(n: Natural) -> Column:
    """Loyalty points given minus those taken; negative where the beginning is missing."""
    return n["points_earned"] - n["points_spent"]


@column("code")
def loyalty_tier_code(n: Natural) -> Column:
    """Tier of the last loyalty change or of the profile, whichever is later and names one; 0 for none.

    Within one second the profile is the later one.
    """
    changed, profile = n.stored("engagement", "changed_tier"), n.stored("engagement", "profile_tier")
    changed_later = last_ms_of(n, ENGAGEMENT_KINDS.index("loyalty_change")) > _profile_ms(n)
    return np.where((profile == 0) | (changed_later & (changed > 0)), changed, profile)


def _profile_ms(n: Natural) -> Column:
    return n.once("profile_ms", lambda n: (n.stored("engagement", "profile_order") >> PROFILE_ID_BITS).astype(np.int64))


@column("days", moves=True)
def since_profile_days(n: Natural) -> Column:
    """Days since the profile that holds was given; nan without any."""
    profile_ms = _profile_ms(n)
    return np.where(profile_ms > 0, (n.now_ms - profile_ms) / DAY_MS, np.nan)


def _known(field: str, nothing: int = 0) -> Formula:
    """A stored number of which 0 is unknown and `nothing` more than that is 0."""

    def known(n: Natural) -> Column:
        stored = n.stored("engagement", field)
        return np.where(stored > 0, stored - float(nothing), np.nan)

    return known


add_column("age_years", "years", "Age when the profile was given; nan where it says none.", _known("age", 1))
add_column("income", "major units", "Income a year, whole, at most 4 billion; nan if unknown.", _known("income", 1))
add_column("consent", "0 or 1", "Whether marketing may use the profile; nan if unknown.", _known("consent", 1))


def _code(field: str) -> Formula:
    return lambda n: n.stored("engagement", field)


for _field in ("gender", "region", "education", "preferred_channel", "time_zone"):
    _doc = f"Place of the {_field.replace('_', ' ')} in the declared list, 255 for another, 0 for unknown."
    add_column(f"{_field}_code", "code", _doc, _code(_field))
