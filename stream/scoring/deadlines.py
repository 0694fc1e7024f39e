"""When would something change if nothing arrives? Eight points of the time ahead, then closer and closer by lines."""

POINTS = 8
SHORTEST_SEARCH_MS = 1 << 19
"""A search ends between two times that are one part in so many of the time ahead apart, or a ms. So late an alert is at
most whose probability crosses: 7 days / 524,288 = 1.2 s, 28 days / 524,288 = 4.6 s; one that waits for silence alone is
not late at all. A change that comes and goes between two of the points is not seen, and of several between two one is
found; the next decision asks again. A shorter interval would find `now` again."""

MIDDLE_EVERY = 9
"""Where a line between two times is asked over and over, the middle is so often, so that every search ends soon: most
after four questions, halves alone would take sixteen."""

LEAST_BEYOND = 1e-300  # what is not beyond a limit, but on it, is before it
