"""What a value of a record is when it cannot become the value of a field."""


class UnfitError(ValueError):
    """Says of a value what is wrong with it, shortened and safe to log."""
