"""The segments, and the rules that give a cluster its name by where its centre lies.

A centre is read as a customer: its days of silence, its purchase days, its spend of a year and its tenure. Silence and
tenure are compared with the typical customer's (the geometric mean) because days mean something to people; frequency
and spend in standard deviations, because how far the best are ahead differs between shops. Names need not be unique,
and any centre has one.

The numbers were chosen on a year of Online Retail II (docs/architecture.md, "Segments").
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

SEGMENTS = (
    "Unsegmented",
    "Champions",
    "Loyal Customers",
    "Potential Loyalists",
    "New Customers",
    "At Risk",
    "Need Attention",
)
"""A customer's segment is stored as its index here; new names are added at the end."""

UNSEGMENTED = 0
CODE_OF = {name: code for code, name in enumerate(SEGMENTS)}

SILENCE_WEIGHT = 0.6
"""Every purchase sets silence to zero. At full weight that alone would decide, and each purchase change the segment."""

COLUMN_WEIGHTS = (SILENCE_WEIGHT, 1.0, 1.0, 1.0)
"""What a standard deviation of silence, frequency, spend and tenure counts in a distance."""

SILENT_TIMES_TYPICAL = 1.25
NEW_WITHIN_DAYS = 60.0
NEW_TIMES_TYPICAL = 0.9  # in a young shop everyone came within 60 days: new is then who came later than the typical
OFTEN_SIGMAS = 0.8
GOOD_FREQUENCY_SIGMAS = 0.1
CHAMPION_SHARE_OF_BEST = 0.75

ACTIVE_WITHIN_DAYS = 120.0  # a rich customer's spend outweighs any silence; four months are long for anybody
NEW_AT_MOST_DAYS = 120.0  # twice what makes a centre new: a customer between two centres does not stay new for a year


_AT_RISK, _NEED_ATTENTION, _NEW = (CODE_OF[name] for name in ("At Risk", "Need Attention", "New Customers"))
_LONG_SILENCE, _LONG_TENURE = math.log1p(ACTIVE_WITHIN_DAYS), math.log1p(NEW_AT_MOST_DAYS)


class Centre(NamedTuple):
    """A cluster centre as the rules read it.

    Attributes:
        silence: days since the last purchase, in those of the typical customer.
        frequency: purchase days, standard deviations above the average.
        spend: net spend of a year, standard deviations above the average.
        tenure_days: days since the first purchase.
        tenure: the same in those of the typical customer.
    """

    silence: float
    frequency: float
    spend: float
    tenure_days: float
    tenure: float

    @property
    def worth(self) -> float:
        """How good a customer: frequency and spend together, standard deviations."""
        return self.frequency + self.spend


def name_centres(centres: Sequence[Sequence[float]], means: Sequence[float], scales: Sequence[float]) -> list[str]:
    """The name of each centre.

    Args:
        centres: standardised silence, frequency, spend, tenure of each centre (`SEGMENT_COLUMNS`).
        means: of the four columns, log1p units.
        scales: what the columns are divided by, log1p units.

    Returns:
        One of `SEGMENTS`, never "Unsegmented", for each centre.

    Typical here: silent for 32 days, 2 purchase days, 490 spent, first bought 88 days ago. These customers, in this
    order: silent for 5 days, 20 purchases and 6,000 spent; 20 days, 6 and 1,800; 15 days, 3 and 700; new a week ago;
    good, but silent for 60 days; silent for 110 days after one small purchase.

    >>> means, scales = [math.log1p(x) for x in (32, 2, 490, 88)], [1.9, 0.6, 1.3, 1.0]
    >>> seen = [(5, 20, 6000, 330), (20, 6, 1800, 290), (15, 3, 700, 200)]
    >>> seen += [(7, 1, 300, 7), (60, 3, 800, 250), (110, 1, 160, 140)]
    >>> centres = [[(math.log1p(x) - m) / s for x, m, s in zip(row, means, scales)] for row in seen]
    >>> name_centres(centres, means, scales)
    ['Champions', 'Loyal Customers', 'Potential Loyalists', 'New Customers', 'At Risk', 'Need Attention']
    """
    read = [_read(centre, means, scales) for centre in centres]
    best = max((centre.worth for centre in read if is_loyal(centre)), default=0.0)
    return [_name(centre, best) for centre in read]


def is_new(centre: Centre) -> bool:
    """First bought lately, also compared with the typical customer, and no oftener than the average.

    >>> is_new(Centre(silence=0.6, frequency=-0.7, spend=-0.3, tenure_days=20, tenure=0.2))
    True

    In a shop that opened three weeks ago the typical customer is not new:

    >>> is_new(Centre(silence=1.0, frequency=0.0, spend=0.0, tenure_days=20, tenure=1.0))
    False
    """
    lately = centre.tenure_days <= NEW_WITHIN_DAYS and centre.tenure <= NEW_TIMES_TYPICAL
    return lately and centre.frequency <= 0.0


def is_silent(centre: Centre) -> bool:
    """Has not bought for a quarter longer than the typical customer.

    >>> is_silent(Centre(silence=1.3, frequency=2.0, spend=2.0, tenure_days=300, tenure=3.0))
    True
    """
    return centre.silence > SILENT_TIMES_TYPICAL


def is_loyal(centre: Centre) -> bool:
    """Buys clearly oftener than the average, spends no less, and still does.

    >>> is_loyal(Centre(silence=0.6, frequency=1.4, spend=1.0, tenure_days=290, tenure=3.3))
    True
    >>> is_loyal(Centre(silence=2.0, frequency=1.4, spend=1.0, tenure_days=290, tenure=3.3))
    False
    """
    return not is_silent(centre) and centre.frequency >= OFTEN_SIGMAS and centre.spend >= 0.0


def is_champion(centre: Centre, best: float) -> bool:
    """A loyal centre about as good as the best one: frequency and spend together reach three quarters of `best`.

    >>> is_champion(Centre(silence=0.2, frequency=2.9, spend=1.8, tenure_days=330, tenure=3.7), best=4.7)
    True
    >>> is_champion(Centre(silence=0.6, frequency=1.5, spend=1.1, tenure_days=290, tenure=3.3), best=4.7)
    False
    """
    return is_loyal(centre) and centre.worth >= CHAMPION_SHARE_OF_BEST * best


def was_good(centre: Centre) -> bool:
    """Bought oftener and spent more than the average: worth winning back when silent ("At Risk").

    >>> was_good(Centre(silence=1.8, frequency=0.3, spend=0.2, tenure_days=240, tenure=2.7))
    True
    >>> was_good(Centre(silence=3.5, frequency=-0.7, spend=-0.9, tenure_days=140, tenure=1.6))
    False
    """
    return centre.frequency > GOOD_FREQUENCY_SIGMAS and centre.spend > 0.0


def standing(silence: float, frequency: float, spend: float, tenure: float) -> tuple[bool, bool, bool]:
    """What of a customer bears on the names it may have.

    Args:
        silence: log1p of days since the last purchase.
        frequency, spend: standard deviations above the average.
        tenure: log1p of days since the first purchase.

    Returns:
        Whether it has been silent for long, whether it bought oftener and spent more than the average, and whether it
        came too long ago to be new.
    """
    good = frequency > GOOD_FREQUENCY_SIGMAS and spend > 0.0
    return silence > _LONG_SILENCE, good, tenure > _LONG_TENURE


def fits(code: int, silent: bool, good: bool, settled: bool) -> bool:
    """Whether a customer of this `standing` may have a name, wherever it lies between the centres.

    Silent for more than 120 days it needs attention, or is At Risk; it is At Risk if it bought oftener and spent more
    than the average. 120 days after its first purchase it is not new.

    Args:
        code: of the name, an index into `SEGMENTS`.
        silent, good, settled: as `standing` says.

    A great customer silent for 266 days, and one of the same tenure that bought five days ago:

    >>> names = ("Champions", "New Customers", "At Risk", "Need Attention")
    >>> great, lately = (standing(math.log1p(days), 2.0, 3.0, math.log1p(300.0)) for days in (266.0, 5.0))
    >>> [fits(CODE_OF[name], *great) for name in names], [fits(CODE_OF[name], *lately) for name in names]
    ([False, False, True, False], [True, False, True, True])
    """
    if silent and code not in (_AT_RISK, _NEED_ATTENTION):
        return False
    return not (silent and good and code == _NEED_ATTENTION) and not (settled and code == _NEW)


def _name(centre: Centre, best: float) -> str:
    """The first rule that holds. Whom no rule takes may become loyal while recent, and needs attention when silent."""
    if is_new(centre):
        return "New Customers"
    if is_silent(centre):
        return "At Risk" if was_good(centre) else "Need Attention"
    if is_champion(centre, best):
        return "Champions"
    return "Loyal Customers" if is_loyal(centre) else "Potential Loyalists"


def _read(centre: Sequence[float], means: Sequence[float], scales: Sequence[float]) -> Centre:
    silence_days, _, _, tenure_days = (math.expm1(z * s + m) for z, m, s in zip(centre, means, scales, strict=True))
    typical_silence_days, typical_tenure_days = math.expm1(means[0]), math.expm1(means[3])
    return Centre(
        silence=silence_days / max(typical_silence_days, 1.0),
        frequency=centre[1],
        spend=centre[2],
        tenure_days=tenure_days,
        tenure=tenure_days / max(typical_tenure_days, 1.0),
    )
