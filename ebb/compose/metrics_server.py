"""Metrics over HTTP, for Prometheus and nobody else: what strangers send costs a process neither memory nor files."""

import socket
import threading
from contextlib import suppress
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import structlog
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

AT_ONCE = 16
"""Connections at a time, each with a thread; beyond them the oldest goes: who sends nothing keeps nobody out."""
SILENT_FOR_S = 10.0  # Prometheus sends its request at once

log = structlog.get_logger()


class _Handler(WSGIRequestHandler):
    timeout = SILENT_FOR_S

    def log_message(self, format: str, *args: Any) -> None:
        """That Prometheus has asked is no news."""


class MetricsServer(ThreadingWSGIServer):
    """Answers each connection in a thread of its own, as many as may be at once."""

    def __init__(self, address: tuple[str, int], handler: Any) -> None:
        self.address_family = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0][0]
        self._open: dict[socket.socket, None] = {}
        self._changing = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin to answer; the oldest connection makes room."""
        with self._changing:
            self._open[request] = None
            oldest = next(iter(self._open)) if len(self._open) > AT_ONCE else None
            self._open.pop(oldest, None)  # type: ignore[arg-type]
        if oldest is not None:
            with suppress(OSError):
                oldest.shutdown(socket.SHUT_RDWR)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        with self._changing:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes in the middle of it is no news, and no traceback."""
        log.debug("a client of the metrics is gone", client=client_address[0], exc_info=True)


def serve(registry: CollectorRegistry, host: str, port: int) -> MetricsServer:
    """Serve metrics in a thread.

    Raises:
        OSError: the port is taken, or the address is not of this machine.
    """
    metrics = make_wsgi_app(registry)
    server = make_server(host, port, metrics, MetricsServer, _Handler)
    if ip_address(str(server.server_address[0])).is_loopback:
        server.set_app(_for_this_machine(metrics))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _for_this_machine(metrics: WSGIApplication) -> WSGIApplication:
    """Metrics for who asks for this machine by name.

    A web page whose name leads to a loopback address, once a browser here has loaded it, would read them else.
    """

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Any:
        if _is_this_machine(environ.get("HTTP_HOST", "localhost")):
            return metrics(environ, start)
        start("421 Misdirected Request", [("Content-Type", "text/plain")])
        return [b"Served for this machine alone: ask for 127.0.0.1 or localhost, or set EBB_METRICS_HOST.\n"]

    return answer


def _is_this_machine(host: str) -> bool:
    """Whether a Host header names a loopback address.

    >>> [_is_this_machine(host) for host in ("127.0.0.1:9464", "[::1]:9464", "localhost", "shop.example:9464")]
    [True, True, True, False]
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False
