"""Units of time, as whole numbers of milliseconds."""

DAY_MS = 86_400_000
NEVER_MS = (1 << 44) - 1
"""Later than any time, the year 2527."""
