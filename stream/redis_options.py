"""Options behind the question mark of a Redis URL: those that all clients of Ebb take, so that others can be named."""

import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

ALWAYS = frozenset(
    {
        "client_name",
        "health_check_interval",
        "max_connections",
        "password",
        "socket_connect_timeout",
        "socket_timeout",
        "username",
    }
)
WITH_TLS = frozenset(
    {
        "ssl_ca_certs",
        "ssl_ca_data",
        "ssl_cert_reqs",
        "ssl_certfile",
        "ssl_check_hostname",
        "ssl_ciphers",
        "ssl_keyfile",
        "ssl_min_version",
    }
)
ALONE_WITH_TLS = frozenset({"ssl_ca_path", "ssl_password"})  # redis-py's client of a cluster for tasks has neither
ALONE = frozenset({"db"})
FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


def options_of(scheme: str) -> frozenset[str]:
    """What a URL of this scheme may say.

    >>> sorted(options_of("redis") - options_of("redis+cluster"))
    ['db']
    """
    is_cluster, has_tls = scheme.endswith("+cluster"), scheme.startswith("rediss")
    alone = frozenset() if is_cluster else ALONE | (ALONE_WITH_TLS if has_tls else frozenset())
    return ALWAYS | alone | (WITH_TLS if has_tls else frozenset())


def refused_option(url: str) -> str:
    """What is wrong with an option of a URL, which no client takes so, to complete "has …"; empty if nothing is.

    No value is told, it may be that of a misspelt password; nor what a password with a bare ? has left of itself.

    >>> refused_option("redis://redis:6379/0?foo=bar").partition(": it takes")[0]
    "the option 'foo', which redis:// does not take"
    >>> refused_option("rediss://redis:6379/0?ssl_ca_certs=ca.pem")
    ''
    """
    parts = urlsplit(url)
    taken = options_of(parts.scheme)
    named = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in named:
        if name not in taken:
            may_be_told = re.fullmatch(r"[a-z0-9_]{1,40}", name) and "@" not in parts.query
            told = f"the option {name!r}, which" if may_be_told else "an option that"
            return f"{told} {parts.scheme}:// does not take: it takes {', '.join(sorted(taken))}"
    if "ssl_keyfile" in named and "ssl_certfile" not in named:
        return "the option 'ssl_keyfile' without 'ssl_certfile', the certificate that it is the key of"
    return ""


def unusable_file(url: str) -> str:
    """Which option of a URL names a file that TLS cannot use, and why, to complete "EBB_REDIS_URL says …"; or empty.

    redis-py tells it as if the server had not been found.

    >>> unusable_file("rediss://redis:6379/0?ssl_ca_certs=/nowhere/ca.pem")
    'ssl_ca_certs=/nowhere/ca.pem, which cannot be read: No such file or directory'
    """
    parts = urlsplit(url)
    given = {name: value for name, value in parse_qsl(parts.query) if name in options_of(parts.scheme)}
    for option in FILES:
        if option in given and (why := _unreadable(given[option])):
            return f"{option}={given[option]}, which cannot be read: {why}"
    if (folder := given.get("ssl_ca_path")) and not Path(folder).is_dir():
        return f"ssl_ca_path={folder}, which is no folder"
    return _refused_by_tls(given)


def _unreadable(path: str) -> str:
    try:
        Path(path).open("rb").close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _refused_by_tls(given: Mapping[str, str]) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authorities, certificate, key = (given.get(option) for option in FILES)
    try:
        if authorities:
            context.load_verify_locations(authorities)
    except ssl.SSLError:
        return f"ssl_ca_certs={authorities}, which holds no certificate in PEM"
    try:
        if certificate:
            context.load_cert_chain(certificate, key, password=given.get("ssl_password", ""))
    except ssl.SSLError:
        and_key = f" and ssl_keyfile={key}" if key else ""
        return f"ssl_certfile={certificate}{and_key}: no certificate in PEM with its key (ssl_password opens one)"
    return ""
