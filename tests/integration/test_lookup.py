"""Views written by a lane, read through `from ebb import Lookup` and `AsyncLookup`."""

import asyncio
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Thread
from time import monotonic

import msgspec
import pytest
import redis

from ebb import AsyncLookup, Lookup
from schemas.partition import partition_of
from stream.customers.segments import SEGMENTS
from stream.errors import EbbError, LayoutError, SettingError, StoreUnavailableError, UnknownCustomerError
from stream.features.layout import LAYOUT
from stream.outcomes.declaration import CHURN_30D
from stream.ports import Deployment
from stream.redis_store.deployment import check_deployment
from stream.redis_store.keys import META
from tests.integration.stored_views import HOSTILE_IDS, NOW_MS, PARTITIONS, apply, begin_deployment, fill_shop, view_of


@pytest.fixture
async def shop(redis_url):
    await fill_shop(redis_url)
    return redis_url


def commands_received(url):
    with redis.Redis.from_url(url) as client:
        return client.info("stats")["total_commands_processed"]


class InALoop:
    """`AsyncLookup` with the methods of `Lookup`, its event loop in a thread of its own."""

    def __init__(self, url):
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self._lookup = self._wait_for(AsyncLookup(url).__aenter__())
        except EbbError:
            self._end()
            raise
        for name in ("get", "get_many", "at_risk", "segments", "outcomes"):
            setattr(self, name, self._waiting(getattr(self._lookup, name)))

    def _wait_for(self, awaited):
        return asyncio.run_coroutine_threadsafe(awaited, self._loop).result(timeout=20)

    def _waiting(self, method):
        return lambda *arguments: self._wait_for(method(*arguments))

    def _end(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def members(self, *arguments):
        async def next_page():
            return await anext(pages, None)

        pages = self._lookup.members(*arguments)
        while (page := self._wait_for(next_page())) is not None:
            yield page

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._wait_for(self._lookup.close())
        self._end()


@pytest.fixture(params=[Lookup, InALoop], ids=["threads", "asyncio"])
def open_lookup(request):
    """`Lookup` or `AsyncLookup`: the same laws."""
    return request.param


def test_a_view_is_read_with_its_types(open_lookup, shop):
    with open_lookup(shop) as lookup:
        view = lookup.get("13064")
    assert view.segment == "Champions"
    assert view.scores["churn_30d"].probability == 0.18
    assert view.value_at_risk == "64.50"
    assert view.as_of == datetime(2010, 12, 9, 20, 1, tzinfo=UTC)
    assert view.valid_until == datetime(2010, 12, 12, 20, 1, tzinfo=UTC)
    with redis.Redis.from_url(shop) as client:
        assert client.get(f"customer:{{{view.partition}}}:13064").decode() == view.to_json()


def test_what_is_predicted_is_what_workers_ask(open_lookup, shop):
    with redis.Redis.from_url(shop) as client:
        client.hset(META, "outcomes", msgspec.json.encode([CHURN_30D]))
    with open_lookup(shop) as lookup:
        assert lookup.outcomes() == (CHURN_30D,)


def test_a_view_costs_one_round_trip(open_lookup, shop):
    with open_lookup(shop) as lookup:
        lookup.get("13064")
        before = commands_received(shop)
        lookup.get("13065")
        after = commands_received(shop)
        one_more = commands_received(shop)
    assert after - before == (one_more - after) + 1


@pytest.mark.parametrize("customer", HOSTILE_IDS)
def test_any_text_is_a_customer_id(open_lookup, shop, customer):
    with open_lookup(shop) as lookup:
        assert lookup.get(customer).customer_id == customer


@pytest.mark.parametrize("customer", [17850, None, b"17850", 17850.0])
def test_an_id_that_is_no_text_is_named_with_what_to_write(open_lookup, shop, customer):
    with open_lookup(shop) as lookup:
        for ask in (lookup.get, lambda customer: lookup.get_many([customer])):
            with pytest.raises(
                TypeError, match=f"A customer id is text, and {customer!r} is {type(customer).__name__}"
            ):
                ask(customer)
        with pytest.raises(TypeError, match="Several ids are asked for, and 'ada' is one"):
            lookup.get_many("ada")


def test_no_customers_at_a_time_are_refused_and_are_no_empty_segment(open_lookup, shop):
    with open_lookup(shop) as lookup:
        with pytest.raises(ValueError, match="at least one customer, not 0"):
            list(lookup.members("Champions", 0))
        with pytest.raises(ValueError, match="-1 is negative"):
            lookup.at_risk(-1)
        assert lookup.at_risk(0) == []


def test_an_unknown_customer_is_named(open_lookup, shop):
    with open_lookup(shop) as lookup:
        for unknown in ("99999", "", "\udcff"):
            with pytest.raises(UnknownCustomerError, match="is unknown: no event of this customer has been applied"):
                lookup.get(unknown)


def test_many_views_come_in_the_order_asked_for_without_the_unknown(open_lookup, shop):
    wanted = ["13100", "99999", *HOSTILE_IDS, "13001", "13100", "\udcff"]
    with open_lookup(shop) as lookup:
        found = lookup.get_many(iter(wanted))
        assert lookup.get_many([]) == {}
    assert list(found) == ["13100", *HOSTILE_IDS, "13001"]
    assert all(view.customer_id == customer for customer, view in found.items())


@pytest.mark.parametrize("page_size", [1, 7, 1000])
def test_members_come_once_each_in_pages_of_the_size_asked_for(open_lookup, shop, page_size):
    with open_lookup(shop) as lookup:
        pages = list(lookup.members("At Risk", page_size))
    expected = {f"{13_000 + i}" for i in range(1, 121) if SEGMENTS[i % 7] == "At Risk"}
    assert Counter(customer for page in pages for customer in page) == Counter(expected)
    assert all(len(page) == page_size for page in pages[:-1])
    assert all(NOW_MS <= page.as_of.timestamp() * 1000 < NOW_MS + PARTITIONS for page in pages)


def test_a_segment_that_does_not_exist_is_answered_with_those_that_do(open_lookup, shop):
    with (
        open_lookup(shop) as lookup,
        pytest.raises(EbbError, match=r"no segment 'Whales'\. Choose one of Unsegmented, Champions"),
    ):
        list(lookup.members("Whales"))


async def test_a_large_segment_is_paged_whole(open_lookup, redis_url):
    views = [view_of(f"c{i}", "Champions") for i in range(3_000)]
    await apply(redis_url, views)
    with open_lookup(redis_url) as lookup:
        found = [customer for page in lookup.members("Champions", 500) for customer in page]
        champions = lookup.segments()[1]
    assert (champions.customers, champions.mean_value_at_risk) == (3_000, pytest.approx(214.07))
    assert 900 <= champions.sampled <= 1_000
    assert sorted(found) == sorted(view.customer_id for view in views)


def test_most_value_at_risk_comes_first(open_lookup, shop):
    with open_lookup(shop) as lookup:
        page = lookup.at_risk(3)
    assert [view.value_at_risk for view in page] == ["120.50", "119.50", "118.50"]
    assert page.as_of == datetime(2010, 12, 9, 20, 1, tzinfo=UTC)


@pytest.mark.parametrize(("connections", "askers"), [("?max_connections=2", 8), ("", 150)])
def test_whoever_asks_while_all_connections_are_busy_waits(open_lookup, shop, connections, askers):
    with open_lookup(shop + connections) as lookup, ThreadPoolExecutor(askers) as threads:
        with redis.Redis.from_url(shop) as client:
            client.client_pause(500)  # ms in which nobody is answered, so that all ask at once
        views = list(threads.map(lookup.get, ["13001"] * askers))
    assert {view.customer_id for view in views} == {"13001"}


def test_a_redis_that_hangs_is_an_error_after_the_time_that_is_promised(open_lookup, shop):
    with open_lookup(shop) as lookup, redis.Redis.from_url(shop) as client:
        lookup.get("13001")
        client.client_pause(7_000)
        began_s = monotonic()
        with pytest.raises(StoreUnavailableError):
            lookup.get("13001")
        assert 4 < monotonic() - began_s < 6.5


def test_more_customers_than_a_redis_can_have_are_all_there_are(open_lookup, shop):
    with open_lookup(shop) as lookup:
        everybody = lookup.at_risk(10**6)
        assert lookup.at_risk(10**20) == everybody
        assert next(lookup.members("Champions", 10**20)) == next(lookup.members("Champions", 10**6))


async def test_customers_are_ranked_by_their_views_where_the_index_lags(open_lookup, redis_url):
    views = [view_of(f"c{i}", risk=f"{1000 + i}.00") for i in range(40)]
    lagging = {view.customer_id: float(view.value_at_risk) * (0.96 if i % 2 else 1.04) for i, view in enumerate(views)}
    await apply(redis_url, views, lagging)
    with open_lookup(redis_url) as lookup:
        assert [view.customer_id for view in lookup.at_risk(5)] == ["c39", "c38", "c37", "c36", "c35"]


async def test_customers_whom_the_index_does_not_tell_apart_are_ranked_by_their_views(open_lookup, redis_url):
    """As in a shop where everybody pays the same by the month: the index has all of them on one step."""
    views = [view_of(f"c{i:04}", risk=f"{110 - i / 300:.2f}") for i in range(3_000)]
    await apply(redis_url, views, {view.customer_id: 105.0 for view in views})
    with open_lookup(redis_url) as lookup:
        assert [view.customer_id for view in lookup.at_risk(3)] == ["c0000", "c0001", "c0002"]


def test_segments_have_sizes_shares_and_mean_values_at_risk(open_lookup, shop):
    with open_lookup(shop) as lookup:
        sizes = {size.name: size for size in lookup.segments()}
    assert list(sizes) == list(SEGMENTS)
    assert {name: size.customers for name, size in sizes.items()} == {
        "Unsegmented": 17,
        "Champions": 18,
        "Loyal Customers": 21,
        "Potential Loyalists": 17,
        "New Customers": 17,
        "At Risk": 17,
        "Need Attention": 17,
    }
    assert sum(size.share for size in sizes.values()) == pytest.approx(1)
    assert sizes["Champions"].mean_value_at_risk == pytest.approx(61.0)
    assert sizes["Champions"].sampled == 18


@pytest.fixture
def empty(redis_url):
    begin_deployment(redis_url)
    return redis_url


def test_before_the_first_event_everything_is_empty(open_lookup, empty):
    with open_lookup(empty) as lookup:
        assert lookup.at_risk(10) == []
        assert lookup.at_risk(10).as_of is None
        assert list(lookup.members("Champions")) == []
        assert [size.customers for size in lookup.segments()] == [0] * 7


def test_a_redis_that_is_away_unused_or_of_another_layout_is_a_clear_error_each(open_lookup, redis_url):
    with pytest.raises(StoreUnavailableError, match=r"Redis at redis://127.0.0.1:1/0 does not work"):
        open_lookup("redis://:secret@127.0.0.1:1/0")
    with pytest.raises(SettingError, match="holds no Ebb deployment"):
        open_lookup(redis_url)
    check_deployment(redis_url, Deployment(PARTITIONS, "live", "older"))
    with pytest.raises(LayoutError, match=f"layout older.*has layout {LAYOUT}"):
        open_lookup(redis_url)


def test_a_view_of_another_form_is_a_clear_error(open_lookup, empty):
    with redis.Redis.from_url(empty) as client, open_lookup(empty) as lookup:
        client.set(f"customer:{{{partition_of('ada', PARTITIONS)}}}:ada", '{"customer_id": "ada"}')
        with pytest.raises(LayoutError, match="another version of Ebb wrote it"):
            lookup.get("ada")


async def test_tasks_of_a_loop_share_a_lookup_that_was_never_entered(shop):
    lookup = AsyncLookup(shop)
    views = await asyncio.gather(*(lookup.get(f"{13_000 + i}") for i in range(1, 51)))
    assert [view.value_at_risk for view in views] == [f"{i}.50" for i in range(1, 51)]
    await lookup.close()


async def test_a_call_given_up_leaves_no_answer_behind_for_the_next(shop):
    async with AsyncLookup(shop) as lookup:
        with redis.Redis.from_url(shop) as client:
            client.client_pause(300)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(lookup.get("13064"), 0.02)
        assert (await lookup.get("13065")).customer_id == "13065"


async def test_a_lookup_finds_a_redis_that_was_restarted_in_between(shop):
    async with AsyncLookup(shop) as lookup:
        await lookup.get("13064")
        with redis.Redis.from_url(shop) as client:
            client.client_kill_filter(_type="normal", skipme=True)
        assert (await lookup.get("13064")).customer_id == "13064"


def test_import_ebb_loads_neither_numpy_nor_redis():
    lazily = (
        "import sys, ebb; assert not {'numpy', 'redis'} & set(sys.modules); ebb.Lookup; assert 'redis' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", lazily], check=True)
