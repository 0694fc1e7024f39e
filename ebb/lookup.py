"""Customers as Ebb sees them now: `from ebb import Lookup`, or `AsyncLookup` in programs of asyncio."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from types import TracebackType
from typing import Self

from ebb import views
from ebb.views import Page, SegmentSize, View, utc
from ebb.why import Why
from stream.errors import SettingError
from stream.features.layout import LAYOUT
from stream.outcomes.declaration import Outcome
from stream.redis_store.asking import Asking, AsyncAsking
from stream.redis_store.lookup import StoredViews, stored_views
from stream.settings.load import load_common_settings, load_worker_settings
from stream.signing import Keyring

__all__ = ["AsyncLookup", "Lookup", "Page", "SegmentSize", "View", "Why", "utc"]

PAGE_SIZE = 1000


class Keys:
    """The keys that verify models, read when they are first needed: only `why` needs any."""

    def __init__(self, text: str | None) -> None:
        self._text = text

    @cached_property
    def ring(self) -> Keyring:
        """The keys.

        Raises:
            SettingError: there are none.
        """
        try:
            text = self._text or load_worker_settings().model_keys
        except SettingError as error:
            raise SettingError(f"Why is told by a model whose signature is verified. {error}") from error
        return Keyring.from_text(text)


class Lookup:
    """Reads views from Redis. Holds a pool of connections; threads may share it.

    Args:
        url: of the deployment's Redis; EBB_REDIS_URL when absent.
        model_keys: verify models, for `why` alone, as id:hex,id:hex; EBB_MODEL_KEYS or its file when absent.

    Raises:
        StoreUnavailableError: Redis does not answer within 5 s, or a node of a cluster that hangs in about 20; every
            method may raise it too.
        SettingError: nothing has ever run on that Redis, or a setting is wrong.
        LayoutError: another version of Ebb wrote it.
    """

    def __init__(self, url: str | None = None, *, model_keys: str | None = None) -> None:
        url, self._keys = url or load_common_settings().redis_url, Keys(model_keys)
        self._asking = Asking(url)
        self._views = self._asking.answer(stored_views(url, LAYOUT))

    def outcomes(self) -> Sequence[Outcome]:
        """What the workers ask, as the latest to start has declared it, when this was made; no round trip."""
        return self._views.outcomes

    def get(self, customer_id: str) -> View:
        """The customer's view, in one round trip.

        Raises:
            UnknownCustomerError: none of its events has been applied.
            TypeError: the id is no text.
        """
        return self._asking.answer(views.customer(self._views, customer_id))

    def get_many(self, customer_ids: Iterable[str]) -> dict[str, View]:
        """Customer id -> view, in the order given and in one round trip. Unknown customers are absent."""
        return self._asking.answer(views.customers(self._views, customer_ids))

    def members(self, segment: str, page_size: int = PAGE_SIZE) -> Iterator[Page[str]]:
        """The ids of a segment's customers, page by page.

        Who is in the segment all the while is returned once; who enters or leaves meanwhile may be there or not.
        """
        walk = views.members(self._views, segment, page_size)
        while (page := self._asking.answer(views.next_page(walk))) is not None:
            yield page

    def at_risk(self, n: int = 10) -> Page[View]:
        """The `n` customers with the most value at risk, most first.

        Where more than 10,000 are within 10 % of the last of them, others of these may be in their place.
        """
        return self._asking.answer(views.most_at_risk(self._views, n))

    def segments(self) -> Page[SegmentSize]:
        """All segments with their sizes, in two round trips however many customers there are."""
        return self._asking.answer(views.segment_sizes(self._views))

    def why(self, customer_id: str, outcome: str, at: datetime | None = None) -> Why:
        """What makes the customer's probability of an outcome what it is, concept by concept, in two round trips.

        Args:
            customer_id: who.
            outcome: such as "lapsed".
            at: when, if nothing arrives until then, UTC where it has no zone; the time of the view when absent.

        Raises:
            UnknownCustomerError: none of its events has been applied.
            SettingError: there are no keys to verify the model with.
            ModelRefusedError: the model is not signed by one of them.
            EbbError: there is no probability to explain, or an event later than `at` has been applied.
        """
        from ebb.explaining import why  # noqa: PLC0415 - only this needs the scoring code

        return self._asking.answer(why(self._views, self._keys.ring, customer_id, outcome, at))

    def close(self) -> None:
        """Release the connections."""
        self._asking.close()

    def __enter__(self) -> Self:
        """`with Lookup() as lookup:` closes it at the end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


class AsyncLookup:
    """`Lookup` for asyncio. Holds a pool of connections; the tasks of one event loop may share it.

    The errors of `Lookup` come from `async with`, or from the first method without it.

    Args:
        url: of the deployment's Redis; EBB_REDIS_URL when absent.
        model_keys: as for `Lookup`.
    """

    def __init__(self, url: str | None = None, *, model_keys: str | None = None) -> None:
        self._url, self._keys = url or load_common_settings().redis_url, Keys(model_keys)
        self._asking = AsyncAsking(self._url)
        self._views: StoredViews | None = None

    async def outcomes(self) -> Sequence[Outcome]:
        """As `Lookup.outcomes`."""
        return (await self._checked()).outcomes

    async def get(self, customer_id: str) -> View:
        """As `Lookup.get`."""
        return await self._asking.answer(views.customer(await self._checked(), customer_id))

    async def get_many(self, customer_ids: Iterable[str]) -> dict[str, View]:
        """As `Lookup.get_many`."""
        return await self._asking.answer(views.customers(await self._checked(), customer_ids))

    async def members(self, segment: str, page_size: int = PAGE_SIZE) -> AsyncIterator[Page[str]]:
        """As `Lookup.members`: `async for page in lookup.members("Champions")`."""
        walk = views.members(await self._checked(), segment, page_size)
        while (page := await self._asking.answer(views.next_page(walk))) is not None:
            yield page

    async def at_risk(self, n: int = 10) -> Page[View]:
        """As `Lookup.at_risk`."""
        return await self._asking.answer(views.most_at_risk(await self._checked(), n))

    async def segments(self) -> Page[SegmentSize]:
        """As `Lookup.segments`."""
        return await self._asking.answer(views.segment_sizes(await self._checked()))

    async def why(self, customer_id: str, outcome: str, at: datetime | None = None) -> Why:
        """As `Lookup.why`. The first one keeps the loop for half a second, to load the scoring code."""
        from ebb.explaining import why  # noqa: PLC0415 - only this needs the scoring code

        views = await self._checked()
        return await self._asking.answer(why(views, self._keys.ring, customer_id, outcome, at))

    async def close(self) -> None:
        """Release the connections."""
        await self._asking.close()

    async def __aenter__(self) -> Self:
        """`async with AsyncLookup() as lookup:` checks the deployment and closes it at the end."""
        try:
            await self._checked()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    async def _checked(self) -> StoredViews:
        """The deployment, asked for once."""
        if self._views is None:
            self._views = await self._asking.answer(stored_views(self._url, LAYOUT))
        return self._views
