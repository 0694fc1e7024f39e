"""When would something change if nothing arrives? Eight points of the time ahead, then halves between two."""

POINTS = 8
HALVINGS = 16
"""An alert by silence alone is at most a last half late: 7 days / 524,288 = 1.2 s, 28 days / 524,288 = 4.6 s. A change
that comes and goes between two of the points is not seen, and of several between two one is found; the next decision
asks again."""

SHORTEST_SEARCH_MS = POINTS << HALVINGS  # an interval shorter than its last halves would find `now` again
