"""Settings with a way of writing of their own. Each reader makes the value or raises ValueError with what is wrong."""

import re
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from stream.features.vocabulary import CATEGORIES_MAX, NAMES_MAX
from stream.outcomes.declaration import BUILT_IN, Outcome
from stream.redis_options import refused_option
from stream.settings.declaring import Form

MASK = "***"
KEY_BYTES_MIN = 16  # half of what HMAC-SHA-256 can use; shorter keys can be searched for


def servers(text: str) -> tuple[str, ...]:
    """Kafka servers, each host:port.

    >>> servers("kafka-1:9092, kafka-2:9092")
    ('kafka-1:9092', 'kafka-2:9092')
    """
    found = _listed(text)
    for server in found:
        host, colon, port = server.rpartition(":")
        if not colon or not host:
            raise ValueError("has no port" if colon == "" else "has no host")
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise ValueError(f"has port {port!r}")
    if not found:
        raise ValueError("names no server")
    return found


def some_servers(text: str) -> tuple[str, ...]:
    """Kafka servers, or none.

    >>> some_servers("")
    ()
    """
    return servers(text) if text else ()


def http_url(text: str) -> str:
    """An address of HTTP as it stands, checked: credentials have settings of their own.

    >>> http_url("http://registry:8081")
    'http://registry:8081'
    """
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:  # its message would repeat what a password with a bare / has in the place of the port
        raise ValueError("has no valid port") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ValueError("is no address of HTTP")
    if parts.username is not None or parts.password is not None:
        raise ValueError("has a user in it, which EBB_REGISTRY_AUTH is for")
    return text


def user_and_password(text: str) -> str:
    """A user and a password.

    >>> user_and_password("ebb:very:secret")
    'ebb:very:secret'
    """
    if text and (not text.partition(":")[0] or ":" not in text or not text.isprintable()):
        raise ValueError("is no user, a colon and a password")
    return text


def redis_url(text: str) -> str:
    """A Redis URL as it stands, checked.

    >>> redis_url("redis://127.0.0.1:6379/0")
    'redis://127.0.0.1:6379/0'
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:  # its message would repeat what a password with a bare / has in the place of the port
        raise ValueError("has no valid port") from None
    if parts.scheme not in {"redis", "rediss", "redis+cluster", "rediss+cluster", "unix"}:
        raise ValueError("does not begin with redis://, rediss://, redis+cluster://, rediss+cluster:// or unix://")
    if parts.scheme != "unix" and (not parts.hostname or port == 0):
        raise ValueError("names no host" if not parts.hostname else "has port 0")
    if parts.scheme != "unix" and not re.fullmatch(r"/?|/\d+", parts.path):
        raise ValueError(f"has database {parts.path[1:]!r}")
    if parts.scheme.endswith("+cluster") and parts.path not in {"", "/", "/0"}:
        raise ValueError(f"has database {parts.path[1:]!r}, and a cluster has database 0 alone")
    if refused := refused_option(text):
        raise ValueError(f"has {refused}")
    return text


def masked_url(text: str) -> str:
    """A URL without what stands before its last @ sign, or as a value behind its question mark, where passwords are.

    >>> masked_url("redis+cluster://ebb:very-secret@redis:6379?client_name=shop&passwort=secret")
    'redis+cluster://***@redis:6379?client_name=***&passwort=***'
    """
    without_user = re.sub(r"(?s)([\w+.-]+://|^)(?![\w+.-]+://).*@", rf"\1{MASK}@", text, count=1)
    return re.sub(r"(?s)([?&][^=&?]*=)[^&]*", rf"\1{MASK}", without_user)


def currency(text: str) -> str:
    """A currency code of ISO 4217.

    >>> currency("GBP")
    'GBP'
    """
    if not re.fullmatch(r"[A-Z]{3}", text):
        raise ValueError("is not a currency code")
    return text


def categories(text: str) -> tuple[str, ...]:
    """Product categories whose shares are kept.

    >>> categories("garden,kitchen")
    ('garden', 'kitchen')
    """
    return names(text, CATEGORIES_MAX)


def names(text: str, most: int = NAMES_MAX) -> tuple[str, ...]:
    """Names that get a code, in the order of their codes.

    >>> names("silver, gold")
    ('silver', 'gold')
    """
    found = _listed(text)
    if len(found) > most:
        raise ValueError(f"lists {len(found)} names")
    if len(set(found)) < len(found):
        raise ValueError("lists a name twice")
    return found


def model_keys(text: str) -> str:
    """Signing keys, brought to one spelling: `key_id:hex`, separated by commas; the first signs, all verify.

    >>> model_keys("b:" + "0F" * 16)
    'b:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f'
    """
    found = [key.partition(":") for key in _listed(text.replace("\n", ","))]
    for number, (key_id, _, digits) in enumerate(found, start=1):
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,32}", key_id):
            raise ValueError(f"has no key id of letters, digits, dots and dashes before the colon of entry {number}")
        if not re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", digits) or len(digits) < 2 * KEY_BYTES_MIN:
            raise ValueError(f"has no key of at least {KEY_BYTES_MIN} bytes in hexadecimal in entry {number}")
    if len({key_id for key_id, _, _ in found}) < len(found):
        raise ValueError("has a key id twice")
    return ",".join(f"{key_id}:{digits.lower()}" for key_id, _, digits in found)


def outcomes(text: str) -> tuple[Outcome, ...]:
    """Outcomes that come with Ebb.

    >>> [outcome.horizon_days for outcome in outcomes("churn_30d, purchase_7d")]
    [30, 7]
    """
    known = {outcome.name: outcome for outcome in BUILT_IN}
    named = _listed(text)
    for name in named:
        if name not in known:
            raise ValueError(f"lists {name!r}, which does not come with Ebb")
    if len(set(named)) < len(named):
        raise ValueError("lists a name twice")
    return tuple(known[name] for name in named)


def outcomes_file(path: str) -> tuple[Outcome, ...]:
    """The outcomes that a file declares, a TOML table each, whose name is the outcome's; without a file none."""
    if not path:
        return ()
    try:
        tables = tomllib.loads(Path(path).read_text())
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"is no TOML: {error}") from error
    return tuple(_outcome(name, table) for name, table in tables.items())


def _outcome(name: str, table: object) -> Outcome:
    if not isinstance(table, dict):
        raise ValueError(f"has {name!r} outside of the table of an outcome, such as [{name}_30d]")  # noqa: TRY004
    try:
        return msgspec.convert({**table, "name": name}, Outcome)
    except msgspec.ValidationError as error:
        raise ValueError(f"declares {name!r} wrongly: {error}") from error


def _listed(text: str) -> tuple[str, ...]:
    """What stands between commas, without the blanks around it and without empty places."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


SERVERS = Form("host:port, several separated by commas", servers)
SOME_SERVERS = Form("host:port, several separated by commas", some_servers)
HTTP_URL = Form("http://host:port or https://host:port", http_url, show=masked_url)
USER_AND_PASSWORD = Form("user:password", user_and_password, show=lambda text: MASK if text else text)
REDIS_URL = Form("redis://host:port/database, or redis+cluster://host:port", redis_url, show=masked_url)
CURRENCY = Form("three capital letters such as GBP", currency)
CATEGORIES = Form(f"up to {CATEGORIES_MAX} names separated by commas", categories)
NAMES = Form(f"up to {NAMES_MAX} names separated by commas", names)
MODEL_KEYS = Form("key_id:hexadecimal, several separated by commas", model_keys, show=lambda _: MASK)
PLAIN_TEXT = Form("any text", str)
HOST = Form("an address of this machine such as 127.0.0.1 or 0.0.0.0", str)
FILE = Form("the path of a file", str)
OUTCOMES = Form(f"some of {', '.join(outcome.name for outcome in BUILT_IN)}, separated by commas", outcomes)
OUTCOMES_FILE = Form("the path of a TOML file with a table for each outcome (docs/outcomes.md)", outcomes_file)
