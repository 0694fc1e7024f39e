"""Numbers as options of commands."""

import math
from typing import Any

import click


class Number(click.FloatRange):
    """A range of numbers. nan is in none, though no comparison says so."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number that was typed."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is no number.", param, ctx)
        return number


ABOVE_ZERO = Number(min=0, min_open=True)
