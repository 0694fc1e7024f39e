"""Schemas by id, asked of a registry over HTTP once each (the API of Confluent's schema registry)."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import quote

import msgspec

from schemas.rejection import Rejection, reject
from stream.errors import EbbError

ANSWER_WITHIN_S = 5.0
ANSWER_BYTES_MAX = 4_000_000
REFERENCES_MAX = 100  # of one schema, those of its references included
NOT_FOUND = 404
ABSENT = (40401, 40402, 40403)  # error codes of the API: no such subject, version or schema
NO_SCHEMA = (ValueError, TypeError, LookupError, RecursionError)
"""What reading raises for an answer whose schema, or what it refers to, is not as the API has it."""

Schema = object | Rejection
"""A schema to read with, or why there is none."""

Parse = Callable[[object, dict[str, object]], object]


class RegistryUnavailableError(EbbError):
    """The registry does not answer, or not as a registry does. It is worth asking again."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirection would carry the password to another host."""

    def redirect_request(self, *_: Any) -> None:
        return None


class SchemaRegistry:
    """One registry.

    Args:
        url: http:// or https://, without credentials.
        auth: "user:password", or "" for none.
        parse: makes a schema of its text and of those it refers to; ValueError when it is none.
    """

    def __init__(self, url: str, auth: str, parse: Parse) -> None:
        self._url, self._parse = url.rstrip("/"), parse
        self._headers = {"Accept": "application/vnd.schemaregistry.v1+json, application/json"}
        if auth:
            self._headers["Authorization"] = f"Basic {base64.b64encode(auth.encode()).decode()}"
        self._open = urllib.request.build_opener(_NoRedirect).open

    def schema(self, schema_id: int) -> Schema:
        """The schema with this id; a `Rejection` when the registry has none that can be read with.

        Raises:
            RegistryUnavailableError: no answer, or one that says nothing about the schema.
        """
        answer = self._ask(f"/schemas/ids/{schema_id}")
        if answer is None:
            return reject("unknown_schema", f"the registry has no schema {schema_id}")
        try:
            return self._parsed(answer, {}, [REFERENCES_MAX])
        except NO_SCHEMA as error:
            return reject("unknown_schema", f"schema {schema_id} {_told(error)}")

    def _parsed(self, answer: Mapping[str, Any], named: dict[str, object], left: list[int]) -> object:
        """The schema of an answer, after those it refers to."""
        kind = answer.get("schemaType", "AVRO")
        if kind != "AVRO":
            raise ValueError(f"is {kind}, not AVRO")
        for reference in answer.get("references") or ():
            left[0] -= 1
            if left[0] < 0:
                raise ValueError(f"refers to more than {REFERENCES_MAX} others")
            where = f"/subjects/{quote(str(reference['subject']), safe='')}/versions/{int(reference['version'])}"
            other = self._ask(where)
            if other is None:
                raise ValueError(f"refers to {where}, which the registry has not")
            self._parsed(other, named, left)
        return self._parse(json.loads(answer["schema"]), named)

    def _ask(self, path: str) -> Mapping[str, Any] | None:
        """The object at a path; None where the registry says there is none."""
        request = urllib.request.Request(self._url + path, headers=self._headers)  # noqa: S310 - the setting is http(s)
        try:
            with self._open(request, timeout=ANSWER_WITHIN_S) as answer:
                found = msgspec.json.decode(answer.read(ANSWER_BYTES_MAX), type=dict[str, Any])
        except urllib.error.HTTPError as error:
            with error:
                if error.code == NOT_FOUND and _says_it_is_absent(error):
                    return None
                raise self._unavailable(f"answers {error.code} {error.reason} to {path}") from error
        except (OSError, HTTPException, ValueError, msgspec.DecodeError) as error:
            raise self._unavailable(str(error) or repr(error)) from error
        if "schema" not in found:
            raise self._unavailable(f"{path} has no schema in it")
        return found

    def _unavailable(self, why: str) -> RegistryUnavailableError:
        return RegistryUnavailableError(
            f"The schema registry at {self._url}: {why}. Check EBB_REGISTRY_URL, EBB_REGISTRY_AUTH and that it runs."
        )


def _says_it_is_absent(answer: urllib.error.HTTPError) -> bool:
    """Whether the registry itself says so: a wrong address, or a proxy whose registry is away, answers 404 too."""
    try:
        found = msgspec.json.decode(answer.read(ANSWER_BYTES_MAX), type=dict[str, Any])
    except (OSError, HTTPException, msgspec.DecodeError):
        return False
    return found.get("error_code") in ABSENT


def _told(error: Exception) -> str:
    return str(error) if type(error) is ValueError else f"cannot be read: {error!r}"
