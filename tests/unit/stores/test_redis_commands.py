"""What a commit sends to Redis."""

import inspect
import socket
import traceback

import pytest
import redis.asyncio
from redis import exceptions

from ebb.services.ports import LOOPBACK, free_port
from stream.byte_rows import byte_rows
from stream.errors import LayoutError, SettingError, StoreUnavailableError
from stream.ports import Commit, LogPosition
from stream.redis_options import options_of
from stream.redis_store.client import (
    address,
    async_client,
    async_reader,
    at_once,
    connection_arguments,
    explained,
    explaining,
    sync_client,
)
from stream.redis_store.commit import net_moves, transaction
from stream.redis_store.connection import PinnedConnection
from stream.redis_store.wire import Arguments, Command, keys_and_values, packed

URL = "redis://worker:secret@cache:6380/2?socket_timeout=1"


def test_arguments_travel_by_length_so_no_byte_of_them_means_anything():
    assert (
        packed([(b"SET", b"a\r\n$1", b""), (b"PING",)])
        == b"*3\r\n$3\r\nSET\r\n$5\r\na\r\n$1\r\n$0\r\n\r\n*1\r\n$4\r\nPING\r\n"
    )


def test_states_views_and_snapshots_travel_in_one_command():
    commit = Commit(
        positions={"events.purchases": LogPosition(7, topic_id="T")},
        stream_time_ms=5,
        sequence=2,
        states={"ada": b"A"},
        views={"ada": b"{}"},
        snapshots={("ada", 9): b"s"},
        deadlines={"ada": 100, "bob": 0},
        segment_moves=[("ada", None, "New Customers"), ("ada", "New Customers", "At Risk")],
    )
    position = b'{"next_offset":7,"last_timestamp_ms":0,"last_crc32":0,"topic_id":"T"}'
    head = [b"version", b"4", b"stream_time_ms", b"5", b"sequence", b"2", b"position:events.purchases", position]
    assert [listed(command) for command in transaction(3, 4, commit)] == [
        [b"MULTI"],
        [b"MSET", b"state:{3}:ada", b"A", b"customer:{3}:ada", b"{}", b"snapshot:{3}:ada:9", b"s"],
        [b"ZADD", b"due:{3}", b"100", b"ada"],
        [b"ZREM", b"due:{3}", b"bob"],
        [b"SADD", b"segment:{3}:At Risk", b"ada"],
        [b"HSET", b"partition:{3}", *head],
        [b"EXEC"],
    ]


def test_a_journal_keeps_its_latest_entries_alone():
    commands = [listed(command) for command in transaction(3, 4, Commit({}, 5, 2, journal=b"entry"))]
    assert [b"XADD", b"journal:{3}", b"MAXLEN", b"~", b"100000", b"*", b"entry", b"entry"] in commands


def listed(command: Command) -> list[bytes]:
    return [part for each in command for part in (each.listed() if isinstance(each, Arguments) else [each])]


def test_arguments_in_their_form_travel_as_others_do():
    names, values = [b"ada", b"", b"a\r\n$1", b"x" * 120], [b"", b"{}", b"\r\n", b"y" * 100_000]
    pairs = keys_and_values(b"view:", byte_rows(names), byte_rows(values))
    plain = [b"MSET", *(part for name, value in zip(names, values, strict=True) for part in (b"view:" + name, value))]
    assert packed([(b"MULTI",), [b"MSET", pairs]]) == packed([(b"MULTI",), plain])
    assert [b"MSET", *pairs.listed()] == plain


def test_a_customer_who_leaves_and_returns_within_a_chunk_has_not_moved():
    assert net_moves([("ada", "At Risk", "Champions"), ("ada", "Champions", "At Risk")]) == {
        "ada": ("At Risk", "At Risk")
    }


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (exceptions.ConnectionError("Connection refused."), StoreUnavailableError),
        (exceptions.AuthenticationError("invalid password"), StoreUnavailableError),
        (exceptions.TimeoutError("Timeout reading"), StoreUnavailableError),
        (exceptions.ResponseError("MISCONF Errors writing to the AOF file"), StoreUnavailableError),
        (exceptions.ResponseError("Protocol error: unauthenticated bulk length"), StoreUnavailableError),
        (exceptions.MovedError("866 10.0.0.1:6379"), SettingError),
        (exceptions.ResponseError("WRONGTYPE Operation against a key"), LayoutError),
        (exceptions.ResponseError("BUSYGROUP Consumer Group name already exists"), exceptions.ResponseError),
        (exceptions.ResponseError("wrong number of arguments for 'zadd' command"), exceptions.ResponseError),
    ],
)
def test_a_refusal_a_person_can_act_on_is_told_from_a_bug(error, kind):
    assert type(explained(error, URL)) is kind


def test_messages_show_the_address_and_no_secret():
    message = str(explained(exceptions.ConnectionError("Error 111\nconnecting to cache:6380."), URL))
    assert message == (
        "Redis at redis://cache:6380/2 does not work: Error 111 connecting to cache:6380. Start or mend it, "
        "or set EBB_REDIS_URL to one that works."
    )
    refused = str(explained(exceptions.NoPermissionError("this user has no permissions to run the 'get' command"), URL))
    assert refused == (
        "Redis at redis://cache:6380/2 refuses this user: this user has no permissions to run the 'get' command. "
        'Set EBB_REDIS_URL to a user that may (docs/operations.md, "Redis\'s users").'
    )
    assert address("unix://:secret@/run/redis.sock?db=1") == "unix:///run/redis.sock"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            "ssl_ca_certs=/nowhere/ca.pem",
            "ssl_ca_certs=/nowhere/ca.pem, which cannot be read: No such file or directory",
        ),
        ("ssl_certfile=/nowhere/a.pem", "ssl_certfile=/nowhere/a.pem, which cannot be read: No such file or directory"),
        ("ssl_certfile=HERE&ssl_keyfile=/nowhere/a.key", "ssl_keyfile=/nowhere/a.key, which cannot be read: No such "),
        ("ssl_ca_path=/nowhere", "ssl_ca_path=/nowhere, which is no folder"),
        ("ssl_ca_certs=HERE", "ssl_ca_certs=HERE, which holds no certificate in PEM"),
        ("ssl_certfile=HERE&ssl_keyfile=HERE", "ssl_certfile=HERE and ssl_keyfile=HERE: no certificate in PEM with "),
    ],
)
def test_a_file_that_tls_cannot_use_is_named_with_its_option(options, said, tmp_path):
    here = tmp_path / "text.pem"
    here.write_text("no certificate")
    url = f"rediss://worker:secret@cache:6380/2?{options.replace('HERE', str(here))}"
    message = str(explained(exceptions.ConnectionError("Error 2 connecting to cache:6380."), url))
    assert message.startswith("Redis at rediss://cache:6380/2 cannot be asked: EBB_REDIS_URL says ")
    assert f" says {said.replace('HERE', str(here))}" in message


@pytest.mark.parametrize("scheme", ["rediss", "rediss+cluster"])
async def test_every_client_names_the_file_it_misses(scheme):
    with socket.create_server((LOOPBACK, free_port())) as server:
        host, port = server.getsockname()
        url = f"{scheme}://{host}:{port}/0?ssl_ca_certs=/nowhere/ca.pem"
        missing = pytest.raises(StoreUnavailableError, match=r"EBB_REDIS_URL says ssl_ca_certs=/nowhere/ca\.pem, ")
        with missing, explaining(url):
            sync_client(url).ping()
        for client in (async_client(url), async_reader(url)):
            with missing, explaining(url):
                await client.ping()
        with missing:
            await PinnedConnection(url, "test").open()


@pytest.mark.parametrize("open_client", [sync_client, async_client, connection_arguments])
def test_an_option_that_no_client_knows_is_a_setting_error(open_client):
    with pytest.raises(SettingError, match=r"^EBB_REDIS_URL has the option 'foo', which redis:// does not take: it "):
        open_client("redis://:very-secret@cache:6380/0?foo=very-secret")


@pytest.mark.parametrize("scheme", ["redis", "rediss", "unix"])
def test_every_option_that_is_said_to_be_taken_is(scheme):
    values = dict.fromkeys(options_of(scheme), "3") | dict.fromkeys(("ssl_check_hostname", "ssl_cert_reqs"), "none")
    values |= {"ssl_min_version": "771"}
    url = f"{scheme}://cache:6380/0?" + "&".join(f"{name}={values[name]}" for name in options_of(scheme))
    assert sync_client(url).connection_pool.make_connection() is not None
    assert async_client(url).connection_pool.make_connection() is not None
    assert PinnedConnection(url, "test") is not None


def test_every_option_of_a_cluster_is_known_to_its_client_for_tasks():
    known = inspect.signature(redis.asyncio.RedisCluster.__init__).parameters
    assert options_of("rediss+cluster") - known.keys() == set()


@pytest.mark.parametrize("connect", [sync_client, async_client, connection_arguments, at_once])
@pytest.mark.parametrize("rest", ["/x@cache:6380/0", "#x@cache:6380/0", "?x@cache:6380/0", "[x@cache:6380/0"])
def test_a_password_that_is_not_escaped_is_told_without_itself(connect, rest):
    secret = "-".join(("very", "secret"))  # which a traceback, that has these lines, does not show
    with pytest.raises(SettingError, match="EBB_REDIS_URL") as told:
        connect(f"redis://worker:{secret}{rest}")
    assert secret not in "".join(traceback.format_exception(told.value))


def test_the_rest_of_a_password_is_no_database():
    assert address("redis://worker:123/very-secret@cache:6380/0") == "redis://worker:123"


def test_another_scheme_is_a_setting_error():
    with pytest.raises(SettingError, match="EBB_REDIS_URL is not the address of a Redis"):
        connection_arguments("http://cache:6380")
