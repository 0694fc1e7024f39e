"""Ports on the loopback address: which are free, and what to say of one that is not."""

import random
import socket

from stream.errors import ServiceError

LOOPBACK = "127.0.0.1"
FREE_PORTS = range(
    20_000, 32_000
)  # below 32768, where Linux takes ports for outgoing connections: none can slip in between
_claims: dict[int, socket.socket] = {}
"""The ports this process has taken for itself: the UDP socket of the same number, which only one process can bind.

Nothing of ours speaks UDP. The kernel drops a claim with its process, however that ends.
"""


def _is_free(port: int) -> bool:
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


def free_port(usual: int | None = None) -> int:
    """A port nothing listens on, and that no other process is given as long as this one lives.

    It is drawn at random: what listened there a moment ago was most likely not ours.

    Args:
        usual: the port to take when it can be had; a process may have it again once nothing listens there.

    Raises:
        ServiceError: two hundred draws found none.
    """
    if usual is not None and (usual in _claims or _claim(usual)) and _is_free(usual):
        return usual
    for port in random.sample(FREE_PORTS, 200):
        if _claim(port) and _is_free(port):
            return port
    raise ServiceError(
        f"No free port between {FREE_PORTS.start} and {FREE_PORTS.stop}. See what listens with `ss -ltn`."
    )


def _claim(port: int) -> bool:
    """Take a port before looking whether something listens: between a look and a start another could take it."""
    claim = socket.socket(type=socket.SOCK_DGRAM)
    try:
        claim.bind((LOOPBACK, port))
    except OSError:
        claim.close()
        return False
    _claims[port] = claim
    return True


def require_free(port: int, service: str, instead: str) -> None:
    """See that `service` can have `port`; `instead` says how to choose another.

    Raises:
        ServiceError: the port is taken.
    """
    if not _is_free(port):
        raise ServiceError(
            f"{service} cannot start: port {port} on {LOOPBACK} is in use. "
            f"Stop what listens there (`ss -ltnp | grep :{port}` names it), or {instead}."
        )
