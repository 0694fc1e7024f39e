"""Has the loops compiled that read records as columns, which takes some ten seconds once.

python -m offline.columns.warming
"""

import numpy as np
import pyarrow as pa

from offline.columns.homes import Homes
from offline.columns.names import Names
from offline.columns.reading import Sent, told
from offline.columns.repeats import Repeats
from offline.columns.values import Values
from schemas.decode import DecodeRules
from schemas.topics import ENGAGEMENT
from schemas.units import DAY_MS
from stream.features.vocabulary import NOTHING_DECLARED

_AT_MS = 14_600 * DAY_MS
_VIEW = f'{{"type":"page_view","event_id":"any","event_time_ms":{_AT_MS},"customer_id":"anybody"}}'.encode()


def warm_reading() -> int:
    """Read an event, and forget it; how many that were.

    >>> warm_reading()
    1
    """
    sent = Sent(Values(pa.array([_VIEW])), [ENGAGEMENT], np.zeros(1, np.int64), np.array([_AT_MS]))
    found = told(sent, DecodeRules(currency="GBP"), NOTHING_DECLARED, Names())
    Homes(partitions=4).of(found.customers)
    Repeats().among(np.arange(1, 10_000, dtype=np.uint64), np.zeros(9_999, np.int64))
    return int(found.is_event.sum())


if __name__ == "__main__":
    warm_reading()
