"""Values of an Avro topic in Confluent's framing: a zero byte, the id of the schema in four bytes, the value."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from io import BytesIO
from struct import error as StructError  # noqa: N812 - it is an exception

from schemas.rejection import Rejection, reject, shortened
from stream.errors import SettingError
from stream.ingest.formats.json_values import NO_BYTES, NO_VALUE
from stream.ingest.formats.registry import Schema

try:
    import fastavro
except ModuleNotFoundError:  # it comes with the extra `avro`
    fastavro = None

FRAME_BYTES = 5
NOT_AVRO = (ValueError, TypeError, LookupError, EOFError, ArithmeticError, RecursionError, StructError, AssertionError)
"""What reading raises for bytes that are no value of the schema."""


def require_avro() -> None:
    """See that Avro can be read here.

    Raises:
        SettingError: the library is not installed.
    """
    if fastavro is None:
        raise SettingError("A source of the map has format = 'avro', and fastavro is missing. pip install 'ebb[avro]'.")


def parse_avro(schema: object, named: dict[str, object]) -> object:
    """A schema ready to read with; it and the names it declares are put into `named`.

    Raises:
        ValueError: it is no Avro schema.
    """
    try:
        return fastavro.parse_schema(schema, named_schemas=named)
    except (*NOT_AVRO, fastavro.schema.SchemaParseException, fastavro.schema.UnknownType) as error:
        raise ValueError(f"is no Avro schema: {error}") from error


def schema_ids(values: Iterable[bytes | None]) -> set[int]:
    """The ids of the schemas that values were written with."""
    return {int.from_bytes(value[1:FRAME_BYTES]) for value in values if value and _is_framed(value)}


def read_avro(values: Sequence[bytes | None], schemas: Mapping[int, Schema]) -> list[object]:
    """What each value holds, or a `Rejection`.

    Args:
        values: as Kafka has them.
        schemas: all that `schema_ids` names, by id.
    """
    return [_read(value, schemas) for value in values]


def _is_framed(value: bytes) -> bool:
    return value[0] == 0 and len(value) >= FRAME_BYTES


def _read(value: bytes | None, schemas: Mapping[int, Schema]) -> object:
    if not value:
        return NO_VALUE if value is None else NO_BYTES
    if not _is_framed(value):
        return reject("malformed_avro", "does not begin with a zero byte and the four bytes of a schema id")
    schema = schemas[int.from_bytes(value[1:FRAME_BYTES])]
    return schema if isinstance(schema, Rejection) else _decoded(value, schema, fastavro.schemaless_reader)


def _decoded(value: bytes, schema: object, read: Callable[..., object]) -> object:
    rest = BytesIO(value)
    rest.seek(FRAME_BYTES)
    try:
        found = read(rest, schema, None)
    except NOT_AVRO as error:
        return reject("malformed_avro", shortened(f"{type(error).__name__}: {error}", 150))
    if rest.tell() != len(value):
        return reject("malformed_avro", f"{len(value) - rest.tell()} bytes are left over")
    return found
