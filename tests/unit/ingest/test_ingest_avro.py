"""Avro in Confluent's framing: schemas by id from a registry, each asked once; what is none is refused, not raised."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from stream.ingest.formats.avro_values import parse_avro, read_avro, schema_ids
from stream.ingest.formats.registry import RegistryUnavailableError, SchemaRegistry
from tests.schema_registry import USER, Registry, framed, running_registry

LINE = {"type": "record", "name": "Line", "fields": [{"name": "sku", "type": "string"}]}
ORDER = {
    "type": "record",
    "name": "Order",
    "fields": [
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 4}},
        {"name": "lines", "type": {"type": "array", "items": "Line"}},
    ],
}
AT = dt.datetime(2024, 3, 1, 8, tzinfo=dt.UTC)
VALUE = {"at": AT, "total": Decimal("12.5000"), "lines": [{"sku": "tea"}]}


@pytest.fixture
def registry() -> Iterator[Registry]:
    with running_registry() as found:
        found.subjects["lines"] = {
            "schema": '{"type":"record","name":"Line","fields":[{"name":"sku","type":"string"}]}'
        }
        found.add(7, ORDER, references=[{"name": "Line", "subject": "lines", "version": 1}])
        found.add(8, {}, schemaType="PROTOBUF")
        found.schemas[9] = {"schema": '{"type":"recrd"}'}
        yield found


def client(registry: Registry, auth: str = USER) -> SchemaRegistry:
    return SchemaRegistry(registry.url, auth, parse_avro)


def order_bytes() -> bytes:
    whole = ORDER | {"fields": [*ORDER["fields"][:2], {"name": "lines", "type": {"type": "array", "items": LINE}}]}  # type: ignore[index]
    return framed(7, whole, VALUE)


def read(registry: Registry, *values: bytes | None) -> list[Any]:
    return read_avro(values, {found: client(registry).schema(found) for found in schema_ids(values)})


def test_values_are_read_with_the_schema_they_name_and_those_it_refers_to(registry: Registry):
    assert read(registry, order_bytes()) == [VALUE]
    assert registry.asked == ["/schemas/ids/7", "/subjects/lines/versions/1"]


def test_what_is_no_value_of_a_known_schema_is_refused(registry: Registry):
    good = order_bytes()
    hostile = [
        (None, "tombstone"),
        (b"", "empty_value"),
        (b"{}", "malformed_avro"),
        (b"\0\0\0", "malformed_avro"),
        (good[:-3], "malformed_avro"),
        (good + b"x", "malformed_avro"),
        (good[:5] + b"\xff" * 40, "malformed_avro"),
        (b"\0\0\0\0\x06", "unknown_schema"),
        (b"\0\0\0\0\x08", "unknown_schema"),
        (b"\0\0\0\0\x09", "unknown_schema"),
    ]
    found = read(registry, *(value for value, _ in hostile))
    assert [each.reason for each in found] == [reason for _, reason in hostile]
    assert all(each.detail.isascii() and len(each.detail) <= 200 for each in found)


def test_a_registry_that_is_away_or_wants_another_password_is_worth_asking_again(registry: Registry):
    registry.is_away = True
    with pytest.raises(RegistryUnavailableError, match="503"):
        client(registry).schema(7)
    registry.is_away = False
    with pytest.raises(RegistryUnavailableError, match="401") as error:
        client(registry, "ebb:wrong-secret").schema(7)
    assert "wrong-secret" not in str(error.value)
    with pytest.raises(RegistryUnavailableError):
        SchemaRegistry("http://127.0.0.1:1", "", parse_avro).schema(7)


def test_a_schema_that_cannot_be_read_is_none(registry: Registry):
    for number, odd in enumerate(
        [
            {"schema": 5},
            {"schema": "{"},
            {"schema": "[" * 100_000},
            {"schema": '"int"', "references": [{}]},
            {"schema": '"int"', "references": 5},
            {"schema": '"int"', "references": [{"subject": "lines", "version": None}]},
        ]
    ):
        registry.schemas[20 + number] = odd
        found: Any = client(registry).schema(20 + number)
        assert (found.reason, found.detail.startswith(f"schema {20 + number} ")) == ("unknown_schema", True), odd


def test_an_answer_that_is_not_a_registry_s_is_worth_asking_again(registry: Registry):
    for answer in (
        b"no HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\n<html>",
        b'HTTP/1.1 404 Not Found\r\nContent-Length: 18\r\n\r\n{"error_code":404}',
    ):
        registry.raw_answer = answer
        with pytest.raises(RegistryUnavailableError):
            client(registry).schema(7)
