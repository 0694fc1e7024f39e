"""Who connects to the metrics and sends nothing, or nonsense, or from a web page, gets nothing and costs little."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from prometheus_client import CollectorRegistry, Gauge

from ebb.compose import metrics_server
from ebb.compose.metrics_server import AT_ONCE, MetricsServer, serve
from ebb.services.ports import LOOPBACK
from tests.integration.processes import eventually

ANSWER_WITHIN_S = 30.0


@pytest.fixture
def registry() -> CollectorRegistry:
    made = CollectorRegistry()
    Gauge("customers", "How many.", registry=made).set(3)
    return made


@pytest.fixture
def server(registry: CollectorRegistry) -> Iterator[MetricsServer]:
    made = serve(registry, LOOPBACK, 0)
    yield made
    made.shutdown()
    made.server_close()


def connected(server: MetricsServer) -> socket.socket:
    return socket.create_connection((LOOPBACK, server.server_port), timeout=ANSWER_WITHIN_S)


def asked(server: MetricsServer, request: str) -> str:
    """Everything a server answers."""
    with connected(server) as client:
        client.sendall(request.encode())
        return b"".join(iter(lambda: client.recv(65_536), b"")).decode()


@pytest.mark.parametrize("host", [f"Host: {LOOPBACK}:9464\r\n", "Host: localhost:9464\r\n", "Host: [::1]\r\n", ""])
def test_who_asks_for_this_machine_gets_metrics(server: MetricsServer, host: str) -> None:
    assert "customers 3.0" in asked(server, f"GET /metrics HTTP/1.0\r\n{host}\r\n")


@pytest.mark.parametrize("host", ["shop.example:9464", "127.0.0.1.shop.example", "[::1", "", "10.0.0.1"])
def test_a_page_whose_name_leads_here_reads_nothing(server: MetricsServer, host: str) -> None:
    answer = asked(server, f"GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
    assert answer.startswith("HTTP/1.0 421 ")
    assert "customers" not in answer


def test_other_machines_may_ask_by_any_name_where_they_may_ask_at_all(registry: CollectorRegistry) -> None:
    made = serve(registry, "0.0.0.0", 0)
    try:
        assert "customers 3.0" in asked(made, "GET /metrics HTTP/1.0\r\nHost: worker-1:9464\r\n\r\n")
    finally:
        made.shutdown()
        made.server_close()


def test_any_number_of_silent_clients_keep_nobody_out(server: MetricsServer) -> None:
    threads = threading.active_count()
    with ExitStack() as silent:
        for _ in range(5 * AT_ONCE):
            silent.enter_context(connected(server)).sendall(b"GET /metrics HTTP/1.1\r\nX: ")
        assert "customers 3.0" in asked(server, "GET /metrics HTTP/1.0\r\n\r\n")
        eventually(lambda: threading.active_count() <= threads + AT_ONCE, what="no more threads than connections")


def test_a_silent_client_is_left(registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_server._Handler, "timeout", 0.05)
    made = serve(registry, LOOPBACK, 0)
    try:
        assert asked(made, "GET /metr") == ""
    finally:
        made.shutdown()
        made.server_close()


@pytest.mark.parametrize(
    "request_line", ["\x00\x01\x02", "GET " + "a" * 70_000 + " HTTP/1.1", "POST /metrics HTTP/1.1", "GET"]
)
def test_nonsense_is_refused_without_a_word_in_the_log(
    server: MetricsServer, request_line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert "customers" not in asked(server, f"{request_line}\r\nHost: localhost\r\n\r\n")
    with connected(server) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # gone with a reset
    assert "customers 3.0" in asked(server, "GET /metrics HTTP/1.0\r\n\r\n")
    assert "Traceback" not in capfd.readouterr().err
