"""Who was erased or merged, by an archive alone: what `counts_for` asks, without a deployment that keeps it."""

from collections.abc import Iterable

from schemas.identities import Erasure, Merge
from stream.identities.known import Identity, name_of


def identities_of(records: Iterable[Erasure | Merge]) -> dict[str, Identity]:
    """What became of ids, once all records have taken effect in the order of their times.

    An erasure takes along whoever counts for the same customer by then. A second merge of an id changes nothing, nor
    does one that would close a circle.

    >>> merge = Merge(event_id="1", event_time_ms=5, customer_id="visitor-7", into="ada")
    >>> gone = identities_of([merge, Erasure(event_id="2", event_time_ms=9, customer_id="ada")])
    >>> gone[name_of("visitor-7")].erased_ms, gone[name_of("ada")].erased_ms
    (9, 9)
    """
    into: dict[str, tuple[str, int]] = {}
    erased: dict[str, int] = {}
    for record in sorted(records, key=lambda each: each.event_time_ms):
        customer, time_ms = record.customer_id, record.event_time_ms
        if isinstance(record, Merge):
            if customer not in into and _end(record.into, into) != customer:
                into[customer] = record.into, time_ms
            continue
        whole = _end(customer, into)
        for each in [name for name in (*into, whole, customer) if _end(name, into) == whole]:
            erased[each] = max(erased.get(each, 0), time_ms)
            into.pop(each, None)
    return {
        name_of(customer): Identity(erased.get(customer, 0), *into.get(customer, ("", 0)))
        for customer in {*into, *erased}
    }


def _end(customer: str, into: dict[str, tuple[str, int]]) -> str:
    """The customer that an id counts for in the end."""
    while customer in into:
        customer = into[customer][0]
    return customer
