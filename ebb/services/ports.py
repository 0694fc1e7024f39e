"""Ports on the loopback address: which are free, and what to say of one that is not."""

import random
import socket

from stream.errors import ServiceError

LOOPBACK = "127.0.0.1"
FREE_PORTS = range(
    20_000, 32_000
)  # below 32768, where Linux takes ports for outgoing connections: none can slip in between


def is_free(port: int) -> bool:
    """Whether nothing listens on a loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port whose last connections linger is free
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def is_open(port: int) -> bool:
    """Whether something accepts connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def free_port() -> int:
    """A port nothing listens on, drawn at random so that several test runs on one machine do not meet.

    Raises:
        ServiceError: two hundred draws found none.
    """
    for port in random.sample(FREE_PORTS, 200):
        if is_free(port):
            return port
    raise ServiceError(
        f"No free port between {FREE_PORTS.start} and {FREE_PORTS.stop}. See what listens with `ss -ltn`."
    )


def require_free(port: int, service: str, instead: str) -> None:
    """See that `service` can have `port`; `instead` says how to choose another.

    Raises:
        ServiceError: the port is taken.
    """
    if not is_free(port):
        raise ServiceError(
            f"{service} cannot start: port {port} on {LOOPBACK} is in use. "
            f"Stop what listens there (`ss -ltnp | grep :{port}` names it), or {instead}."
        )
