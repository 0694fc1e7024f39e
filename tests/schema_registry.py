"""A schema registry of the test itself: the answers that Ebb asks Confluent's for, on a free port of this machine."""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Thread
from typing import Any

import fastavro

USER = "ebb:registry-secret"


class Registry:
    """Schemas by id and by subject; it answers only who knows its password, and nobody while it is away.

    `raw_answer`, where there is one, is all that anybody gets: bytes that need be no HTTP.
    """

    def __init__(self) -> None:
        self.schemas: dict[int, dict[str, Any]] = {}
        self.subjects: dict[str, dict[str, Any]] = {}
        self.is_away = False
        self.raw_answer = b""
        self.asked: list[str] = []
        self.url = ""

    def add(self, schema_id: int, schema: Mapping[str, Any], **more: Any) -> None:
        self.schemas[schema_id] = {"schema": json.dumps(schema), **more}

    def answer(self, path: str, authorization: str | None) -> tuple[int, dict[str, Any]]:
        """Status and body."""
        self.asked.append(path)
        if self.is_away:
            return 503, {"message": "away"}
        if authorization != f"Basic {base64.b64encode(USER.encode()).decode()}":
            return 401, {"message": "Unauthorized"}
        kind, _, name = path.lstrip("/").partition("/")
        if kind == "schemas":
            found = self.schemas.get(int(name.removeprefix("ids/")))
        else:
            found = self.subjects.get(name.partition("/")[0])
        return (200, found) if found else (404, {"error_code": 40403, "message": "Schema not found"})


@contextmanager
def running_registry() -> Iterator[Registry]:
    """A registry that is gone with the block."""
    registry = Registry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if registry.raw_answer:
                self.wfile.write(registry.raw_answer)
                self.close_connection = True
                return
            status, body = registry.answer(self.path, self.headers.get("Authorization"))
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    registry.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def framed(schema_id: int, schema: Any, value: Any) -> bytes:
    """A value as Confluent's serializers write it."""
    out = BytesIO()
    out.write(b"\0" + schema_id.to_bytes(4))
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()
