"""What of a history does not count, and why: records that no worker would take, orders of files that are none."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from schemas.rejection import Reason, Rejection
from stream.errors import OfflineError

_CURRENCY = re.compile(r"currency is '([A-Z]{3})'")


@dataclass
class Rejections:
    """Counted by reason, with the first of each as an example: a history may be rejected as a whole."""

    by_reason: Counter[Reason] = field(default_factory=Counter)
    orders_left_out: Counter[str] = field(default_factory=Counter)
    _examples: dict[Reason, Rejection] = field(default_factory=dict)

    def add(self, rejected: Iterable[Rejection]) -> None:
        """Take in some more."""
        for each in rejected:
            self.by_reason[each.reason] += 1
            self._examples.setdefault(each.reason, each)

    def leave_out(self, orders: Mapping[str, int]) -> None:
        """Count orders of files that are none, by what is wrong with them, as `offline.sources.orders.usable` says."""
        self.orders_left_out.update(orders)

    @property
    def count(self) -> int:
        """How many records were rejected."""
        return self.by_reason.total()

    def __bool__(self) -> bool:
        """Whether anything does not count."""
        return bool(self.by_reason or self.orders_left_out)

    def said(self) -> str:
        r"""How much there is, the commonest reasons, and what to do; of something.

        >>> rejected = Rejections()
        >>> rejected.add([Rejection("wrong_currency", "currency is 'GBP', the reporting currency EUR")])
        >>> print(rejected.said().replace(": ", ":\n").replace(". ", ".\n"))
        1 record was rejected as wrong_currency:
        currency is 'GBP', the reporting currency EUR.
        Set EBB_CURRENCY=GBP if that is the shop's.
        """
        return " ".join([*self._said_of_records(), *self._said_of_orders()])

    def _said_of_records(self) -> Iterator[str]:
        for reason, commonest in self.by_reason.most_common(1):
            records = "1 record was" if self.count == 1 else f"{self.count:,} records were"
            share = "" if commonest == self.count else f", {commonest:,} of them"
            example = self._examples[reason]
            yield f"{records} rejected{share} as {reason}: {example.detail}. {_what_to_do(example)}"

    def _said_of_orders(self) -> Iterator[str]:
        if self.orders_left_out:
            counted = [f"{count:,} {why.replace('_', ' ')}" for why, count in self.orders_left_out.most_common()]
            yield f"Left out of the files: {', '.join(counted)} (docs/your-own-data.md, What becomes of it)."


def lacking(what: str, rejected: Rejections) -> OfflineError:
    """The error of a history that lacks something; says first what was rejected, since that may be why."""
    return OfflineError(f"{rejected.said()} Without that: {what}" if rejected else what)


@contextmanager
def rejected_first(rejected: Rejections) -> Iterator[None]:
    """Let what is raised for want of rows say first what was rejected.

    Raises:
        OfflineError: as raised within, with that before it.
    """
    try:
        yield
    except OfflineError as error:
        raise lacking(str(error), rejected) from error


def _what_to_do(example: Rejection) -> str:
    found = _CURRENCY.match(example.detail) if example.reason == "wrong_currency" else None
    if found:
        return f"Set EBB_CURRENCY={found[1]} if that is the shop's."
    return "What to do is in docs/events.md, under Records that cannot be applied."
