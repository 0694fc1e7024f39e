"""Views written by a lane, read through `from ebb import Lookup` and on the screens of the commands."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from threading import Thread

import pytest
import redis
from click.testing import CliRunner

from ebb import AsyncLookup, Lookup
from ebb.cli import main
from schemas.partition import partition_of
from schemas.units import DAY_MS
from stream.customers.segments import SEGMENTS
from stream.errors import EbbError, LayoutError, SettingError, StoreUnavailableError, UnknownCustomerError
from stream.features.layout import LAYOUT
from stream.ports import Commit, Deployment
from stream.redis_store.deployment import check_deployment
from stream.redis_store.partition import RedisPartitionStore
from stream.views import AlertState, Score, View, encode_views

PARTITIONS = 4
NOW_MS = 1_291_924_860_000  # 2010-12-09 20:01 UTC
HOSTILE_IDS = ["{7}", "two words", "line\nbreak \x1b[2J", "Zoë ☃"]


def view_of(customer, segment="Loyal Customers", probability=0.18, risk="214.07", silent=4.2, **changed):
    fields = {
        "customer_id": customer,
        "partition": partition_of(customer, PARTITIONS),
        "segment": segment,
        "segment_since_ms": NOW_MS - 282 * DAY_MS,
        "scores": {
            "churn_30d": Score(probability, "river_logistic", "14951-3f2a"),
            "purchase_7d": Score(0.31, "river_logistic", "14951-77c0"),
            "lapsed": Score(0.09, "mean_logit", "14951-9a01"),
        },
        "value_at_risk": risk,
        "currency": "GBP",
        "alert": AlertState(probability >= 0.8, NOW_MS - 60 * DAY_MS if probability >= 0.8 else None),
        "reasons": [f"no purchase for {silent:.0f} days, usual gap 6", "net spend of the last year 3,212"],
        "features": {
            "since_last_purchase_days": silent,
            "purchase_days": 28.0,
            "mean_gap_days": 6.4,
            "purchases": 31.0,
            "refunds": 2.0,
            "spend": "8123.10",
            "refunded": "40.12",
            "net_spend_365d": "3212.45",
            "first_purchase_ms": NOW_MS - 373 * DAY_MS,
            "last_purchase_ms": NOW_MS - 4 * DAY_MS,
        },
        "as_of_ms": NOW_MS,
        "valid_until_ms": NOW_MS + 3 * DAY_MS,
    }
    return View(**{**fields, **changed})


async def apply(url, views, risks=None):
    """One commit for each partition, as the lanes write them; the index of risks is what the views say unless given."""
    check_deployment(url, Deployment(PARTITIONS, "replay", LAYOUT))
    for partition in range(PARTITIONS):
        own = [view for view in views if view.partition == partition]
        store = RedisPartitionStore(url, partition)
        head, _ = await store.begin(0, 0)
        changes = Commit(
            positions={},
            stream_time_ms=NOW_MS + partition,
            sequence=0,
            views={view.customer_id: encode_views([view])[0] for view in own},
            segment_moves=[(view.customer_id, None, view.segment) for view in own],
            risks={v.customer_id: (risks or {}).get(v.customer_id, float(v.value_at_risk or 0)) for v in own},
        )
        assert await store.commit(head, changes)
        await store.close()


@pytest.fixture
async def shop(redis_url):
    """120 customers of all segments; number i has i pounds at risk."""
    named = [view_of(f"{13_000 + i}", SEGMENTS[i % 7], risk=f"{i}.50") for i in range(1, 121)]
    await apply(redis_url, [*named, *(view_of(customer, risk=None) for customer in HOSTILE_IDS)])
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
        for name in ("get", "get_many", "at_risk", "segments"):
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
    assert run(redis_url, "segments").output.splitlines()[2].endswith("≈ £ 214")
    assert sorted(found) == sorted(view.customer_id for view in views)


def test_most_value_at_risk_comes_first(open_lookup, shop):
    with open_lookup(shop) as lookup:
        page = lookup.at_risk(3)
    assert [view.value_at_risk for view in page] == ["120.50", "119.50", "118.50"]
    assert page.as_of == datetime(2010, 12, 9, 20, 1, tzinfo=UTC)


async def test_customers_are_ranked_by_their_views_where_the_index_lags(open_lookup, redis_url):
    views = [view_of(f"c{i}", risk=f"{1000 + i}.00") for i in range(40)]
    lagging = {view.customer_id: float(view.value_at_risk) * (0.96 if i % 2 else 1.04) for i, view in enumerate(views)}
    await apply(redis_url, views, lagging)
    with open_lookup(redis_url) as lookup:
        assert [view.customer_id for view in lookup.at_risk(5)] == ["c39", "c38", "c37", "c36", "c35"]


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
async def empty(redis_url):
    check_deployment(redis_url, Deployment(PARTITIONS, "live", LAYOUT))
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


def run(url, *arguments):
    return CliRunner().invoke(main, list(arguments), env={"EBB_REDIS_URL": url, "EBB_CURRENCY": "GBP"})


def test_ebb_lookup_shows_a_customer(shop):
    result = run(shop, "lookup", "13065")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "13065 · Loyal Customers since 2010-03-02 · as of 2010-12-09 20:01 UTC",
        "  no purchase within 30 days                  18 %   river_logistic, version 14951-3f2a",
        "  purchase within 7 days                      31 %   river_logistic, version 14951-77c0",
        "  no purchase within twice the usual gap       9 %   mean_logit, version 14951-9a01",
        "  value at risk                            £ 65.50   churn alert: none open",
        "  purchases                                     31   first 2009-12-01, last 2010-12-05",
        "  silent for                                4 days   usual gap 6 days",
        "  net spend of a year                      £ 3,212   2 refunds, £ 40.12",
        "  why: no purchase for 4 days, usual gap 6 · net spend of the last year 3,212",
        "  next: ebb lookup 13065 --json",
    ]


def test_ebb_lookup_json_is_the_view(shop):
    assert json.loads(run(shop, "lookup", "13065", "--json").output)["value_at_risk"] == "65.50"


def test_a_hostile_id_cannot_touch_the_terminal(shop):
    output = run(shop, "lookup", HOSTILE_IDS[2]).output
    assert output.splitlines()[0].startswith(r"line\nbreak \x1b[2J · Loyal Customers")
    assert r"next: ebb lookup $'line\nbreak \x1b[2J' --json" in output
    assert "\x1b" not in output


def test_ebb_segments_shows_a_line_a_segment(shop):
    assert run(shop, "segments").output.splitlines() == [
        "segment               customers   share   mean value at risk",
        "Unsegmented                  17    14 %              £ 63.50",
        "Champions                    18    15 %              £ 61.00",
        "Loyal Customers              21    17 %              £ 47.36",
        "Potential Loyalists          17    14 %              £ 59.50",
        "New Customers                17    14 %              £ 60.50",
        "At Risk                      17    14 %              £ 61.50",
        "Need Attention               17    14 %              £ 62.50",
        "everybody                   124",
        "as of 2010-12-09 20:01 UTC · next: ebb at-risk",
    ]


def test_ebb_segments_json_has_all_seven(shop):
    answer = json.loads(run(shop, "segments", "--json").output)
    assert answer["as_of_ms"] == NOW_MS
    assert [size["customers"] for size in answer["segments"]] == [17, 18, 21, 17, 17, 17, 17]


def test_ebb_at_risk_shows_a_line_a_customer(shop):
    why = "no purchase for 4 days, usual gap 6"
    assert run(shop, "at-risk", "-n", "2").output.splitlines() == [
        "customer   value at risk   no purchase within twice the usual gap   segment       why",
        f"13120              £ 120                                      9 %   Champions     {why}",
        f"13119              £ 120                                      9 %   Unsegmented   {why}",
        "as of 2010-12-09 20:01 UTC · next: ebb lookup 13120",
    ]


def test_ebb_at_risk_json_has_the_views(shop):
    answer = json.loads(run(shop, "at-risk", "-n", "1", "--json").output)
    assert (answer["as_of_ms"], answer["customers"][0]["customer_id"]) == (NOW_MS, "13120")


def test_ebb_at_risk_before_there_is_a_model_says_why_nobody_is(empty):
    assert run(empty, "at-risk").output == "Nobody has value at risk: there is no churn model before 200 labels.\n"
    assert run(empty, "segments").output.splitlines()[-1] == "no event has been applied yet · next: ebb at-risk"


@pytest.mark.parametrize("command", [["lookup", "99999"], ["lookup", "\udcff"]])
def test_a_failed_command_says_why_in_one_line_on_stderr(shop, command):
    result = run(shop, *command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert "is unknown: no event of this customer has been applied" in result.stderr


def test_commands_without_redis_say_so(redis_url):
    for command in (["lookup", "13064"], ["segments"], ["at-risk"]):
        result = run("redis://:secret@127.0.0.1:1/0", *command)
        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
        assert "redis://127.0.0.1:1/0 does not work" in result.stderr
        assert "secret" not in result.stderr
