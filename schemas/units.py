"""Units of time, as whole numbers of milliseconds."""

DAY_MS = 86_400_000
