"""When would something change if nothing arrives? Sections of the time ahead, cut again where the first change is."""

from math import prod

SECTIONS = (8, 16, 32, 16, 8)
"""Into how many sections each pass cuts the time in which the last one saw the first change. An alert by silence alone
is at most this late: 7 days / 524,288 = 1.2 s, 28 days / 524,288 = 4.6 s. A change that comes and goes between two of
the first eight points is not seen; the next decision asks again."""

SHORTEST_SEARCH_MS = prod(SECTIONS)  # an interval shorter than its last grid would find `now` again
