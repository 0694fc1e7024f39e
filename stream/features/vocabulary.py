"""The shop's own names as small codes: categories, regions, tiers and the like, by their place in declared lists.

A code is stored, its name is not. So a deployment remembers the lists it began with and refuses others
(`stream.redis_store.deployment`).
"""

from collections.abc import Mapping
from functools import cached_property

import msgspec

CHANNELS = ("online", "in_store", "app")
CATEGORIES_MAX = 7  # declared categories; one more slot counts the lines of all others
UNKNOWN, OTHER = 0, 255
NAMES_MAX = OTHER - 1  # codes take one byte


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The declared lists, each in the order that gives its names their codes.

    Attributes:
        categories: of products, at most `CATEGORIES_MAX`.
        genders, regions, educations, time_zones: of profiles, at most `NAMES_MAX` each.
        loyalty_tiers: likewise, the lowest first.
    """

    categories: tuple[str, ...] = ()
    genders: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    educations: tuple[str, ...] = ()
    loyalty_tiers: tuple[str, ...] = ()
    time_zones: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse lists that do not fit into the record.

        Raises:
            ValueError: a list is too long.
        """
        for field in self.__struct_fields__:
            names, most = getattr(self, field), CATEGORIES_MAX if field == "categories" else NAMES_MAX
            if len(names) > most:
                raise ValueError(f"{len(names)} {field.replace('_', ' ')} are declared; at most {most} have a code")

    @cached_property
    def category_slots(self) -> Mapping[str | None, int]:
        """Category -> its slot among the counts of order lines; all others have slot `CATEGORIES_MAX`."""
        return {name: slot for slot, name in enumerate(self.categories)}

    @cached_property
    def codes(self) -> Mapping[str, Mapping[str | None, int]]:
        """Field -> name -> code; no name is `UNKNOWN`, one that is absent here is `OTHER`."""
        return {field: codes_of(getattr(self, field)) for field in self.__struct_fields__}


NOTHING_DECLARED = Vocabulary()


def codes_of(names: tuple[str, ...]) -> dict[str | None, int]:
    """Name -> code: its place, counted from 1.

    >>> codes_of(("silver", "gold"))
    {None: 0, 'silver': 1, 'gold': 2}
    """
    return {None: UNKNOWN} | {name: code for code, name in enumerate(names, start=1)}
