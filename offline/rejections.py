"""Records of a history that no worker would take: how many, why, and what to do about the commonest reason."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from schemas.rejection import Reason, Rejection
from stream.errors import OfflineError

_CURRENCY = re.compile(r"currency is '([A-Z]{3})'")


@dataclass
class Rejections:
    """Counted by reason, with the first of each as an example: a history may be rejected as a whole."""

    by_reason: Counter[Reason] = field(default_factory=Counter)
    _examples: dict[Reason, Rejection] = field(default_factory=dict)

    def add(self, rejected: Iterable[Rejection]) -> None:
        """Take in some more."""
        for each in rejected:
            self.by_reason[each.reason] += 1
            self._examples.setdefault(each.reason, each)

    @property
    def count(self) -> int:
        """How many there are."""
        return self.by_reason.total()

    def said(self) -> str:
        r"""How many there are, the commonest reason, and what to do; of at least one.

        >>> rejected = Rejections()
        >>> rejected.add([Rejection("wrong_currency", "currency is 'GBP', the reporting currency EUR")])
        >>> print(rejected.said().replace(": ", ":\n").replace(". ", ".\n"))
        1 record was rejected as wrong_currency:
        currency is 'GBP', the reporting currency EUR.
        Set EBB_CURRENCY=GBP if that is the shop's.
        """
        ((reason, commonest),) = self.by_reason.most_common(1)
        records = "1 record was" if self.count == 1 else f"{self.count:,} records were"
        share = "" if commonest == self.count else f", {commonest:,} of them"
        example = self._examples[reason]
        return f"{records} rejected{share} as {reason}: {example.detail}. {_what_to_do(example)}"


def lacking(what: str, rejected: Rejections) -> OfflineError:
    """The error of a history that lacks something; says first what was rejected, since that may be why."""
    return OfflineError(f"{rejected.said()} Without that: {what}" if rejected.count else what)


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
