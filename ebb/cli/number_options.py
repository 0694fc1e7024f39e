"""Numbers as options of commands."""

import math
from collections.abc import Callable
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


def timeout_option(until: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option for how long a command waits; `until` says for what."""
    help_text = f"Seconds to wait until {until}."
    return click.option("--timeout", type=Number(min=0), default=60.0, show_default=True, help=help_text)
