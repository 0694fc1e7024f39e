"""Options behind the question mark of a Redis URL: those that all clients of Ebb take, so that others can be named."""

import re
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


def options_of(scheme: str) -> frozenset[str]:
    """What a URL of this scheme may say.

    >>> sorted(options_of("redis") - options_of("redis+cluster"))
    ['db']
    """
    is_cluster, has_tls = scheme.endswith("+cluster"), scheme.startswith("rediss")
    alone = frozenset() if is_cluster else ALONE | (ALONE_WITH_TLS if has_tls else frozenset())
    return ALWAYS | alone | (WITH_TLS if has_tls else frozenset())


def unknown_option(url: str) -> str:
    """What is wrong with an option of a URL that no client knows, to complete "has …"; empty if there is none.

    No value is told, it may be that of a misspelt password; nor what a password with a bare ? has left of itself.

    >>> unknown_option("redis://redis:6379/0?foo=bar").partition(": it takes")[0]
    "the option 'foo', which redis:// does not take"
    >>> unknown_option("rediss://redis:6379/0?ssl_ca_certs=ca.pem")
    ''
    """
    parts = urlsplit(url)
    taken = options_of(parts.scheme)
    for name, _ in parse_qsl(parts.query, keep_blank_values=True):
        if name not in taken:
            may_be_told = re.fullmatch(r"[a-z0-9_]{1,40}", name) and "@" not in parts.query
            named = f"the option {name!r}, which" if may_be_told else "an option that"
            return f"{named} {parts.scheme}:// does not take: it takes {', '.join(sorted(taken))}"
    return ""
