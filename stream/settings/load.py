"""Settings from the environment and `.env`, checked whole at start: a process with a wrong setting does not begin.

The environment wins over `.env` in the working folder. An empty value counts as not set. A variable that begins with
EBB_ and is no setting of any process is an error: a misspelt one would otherwise be a default in silence.
"""

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from typing import TypeVar

import msgspec
from dotenv import dotenv_values
from dotenv.parser import parse_stream

from stream.errors import SettingError
from stream.settings.common import CommonSettings, ProcessSettings
from stream.settings.declaring import PAGE, PREFIX, Declared, declared
from stream.settings.forms import MODEL_KEYS, USER_AND_PASSWORD
from stream.settings.ingest import IngestSettings
from stream.settings.learner import LearnerSettings
from stream.settings.suite import SuiteSettings
from stream.settings.worker import WorkerSettings

READERS: Mapping[str, type[msgspec.Struct]] = {
    "all": CommonSettings,
    "worker": WorkerSettings,
    "learner": LearnerSettings,
    "ingest": IngestSettings,
    "tests": SuiteSettings,
}
"""Who reads which settings. A new process is one entry here."""

NAME = re.compile(rf"\b{PREFIX}[A-Z0-9_]*")

Settings = TypeVar("Settings", bound=msgspec.Struct)
Process = TypeVar("Process", bound=ProcessSettings)


def load_common_settings(environ: Mapping[str, str] | None = None) -> CommonSettings:
    """Settings of a command that is neither worker nor learner: lookup, replay, verify, up.

    Args:
        environ: all variables, instead of the environment and `.env`.

    Raises:
        SettingError: a value cannot be what it should be, or a name is unknown.

    >>> load_common_settings({"EBB_KAFKA_SERVERS": "kafka:9092"}).kafka_servers
    ('kafka:9092',)
    >>> load_common_settings({"EBB_CURRENCY": "pounds"})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    stream.errors.SettingError: EBB_CURRENCY='pounds' is not a currency code. Write three ... (docs/settings.md).
    """
    return _load(CommonSettings, environ)


def load_worker_settings(environ: Mapping[str, str] | None = None) -> WorkerSettings:
    """Settings of the worker, with the keys that verify models; see `load_common_settings`."""
    return _with_model_keys(_load(WorkerSettings, environ))


def load_offline_settings(environ: Mapping[str, str] | None = None) -> WorkerSettings:
    """Settings of the worker for who goes through its history alone, without keys; see `load_common_settings`."""
    return _load(WorkerSettings, environ)


def load_learner_settings(environ: Mapping[str, str] | None = None) -> LearnerSettings:
    """Settings of the learner, with the keys that sign models; see `load_common_settings`."""
    return _with_model_keys(_load(LearnerSettings, environ))


def load_ingest_settings(environ: Mapping[str, str] | None = None) -> IngestSettings:
    """Settings of an ingest process, with what the registry is asked with; see `load_common_settings`."""
    settings = _load(IngestSettings, environ)
    if settings.registry_auth or not settings.registry_auth_file:
        return settings
    text = _read_secret(settings.registry_auth_file, "EBB_REGISTRY_AUTH_FILE", "Name a file that can be read").strip()
    try:
        auth = str(USER_AND_PASSWORD.read(text))
    except ValueError as error:
        raise SettingError(
            f"EBB_REGISTRY_AUTH_FILE='{settings.registry_auth_file}' {error}. Write {USER_AND_PASSWORD.written} "
            f"into it ({PAGE})."
        ) from error
    return msgspec.structs.replace(settings, registry_auth=auth)


def load_suite_settings(environ: Mapping[str, str] | None = None) -> SuiteSettings:
    """Settings of the test suite; see `load_common_settings`."""
    return _load(SuiteSettings, environ)


def _load(kind: type[Settings], environ: Mapping[str, str] | None) -> Settings:
    given = _ours(environ) if environ is not None else _ours(_dotenv()) | _ours(os.environ)
    _refuse_unknown(given)
    return kind(**{entry.field: entry.read(given[entry.name]) for entry in declared(kind) if entry.name in given})


def _dotenv() -> dict[str, str | None]:
    """The variables of `.env` in the working folder, as they stand: a password may contain a dollar sign."""
    path = Path.cwd() / ".env"
    try:
        if path.is_file():
            _check_lines(path)
        return dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(
            f"{path} cannot be read: {error}. Save it as UTF-8, a line NAME=value each ({PAGE})."
        ) from error


def _check_lines(path: Path) -> None:
    """Refuse a line of ours that says nothing: the library passes over it, and a default would hold."""
    for found in parse_stream(StringIO(path.read_text(encoding="utf-8"))):
        text, line = found.original.string, found.original.line
        if found.error and (name := NAME.search(text)):  # of the value nothing is said: it may be a password
            line += text[: name.start()].count("\n")
            raise SettingError(
                f"{path}, line {line}: {name[0]} is not followed by a value that can be read. Write {name[0]}=value, "
                f"with a quote at both ends of the value or at none ({PAGE})."
            )


def _ours(environ: Mapping[str, str | None]) -> dict[str, str]:
    """The variables that begin with our prefix and are not empty."""
    return {name: text for name, text in environ.items() if text and name.startswith(PREFIX)}


def _refuse_unknown(given: Mapping[str, str]) -> None:
    known: dict[str, Declared] = {entry.name: entry for kind in READERS.values() for entry in declared(kind)}
    for name in sorted(given.keys() - known.keys()):
        nearest = get_close_matches(name, known, n=1, cutoff=0.0)[0]
        raise SettingError(f"{name} is not a setting. The nearest is {nearest}; {PAGE} lists all.")


def _with_model_keys(settings: Process) -> Process:
    """The same settings with the text of the keys in `model_keys`, wherever they are kept."""
    if settings.model_keys:
        return settings
    path = settings.model_keys_file
    remedy = f"`ebb up` makes the file, or write {MODEL_KEYS.written} into EBB_MODEL_KEYS"
    text = _read_secret(path, "EBB_MODEL_KEYS is not set and EBB_MODEL_KEYS_FILE", remedy)
    try:
        keys = str(MODEL_KEYS.read(text))
    except ValueError as error:
        raise SettingError(
            f"EBB_MODEL_KEYS_FILE='{path}' {error}. Write {MODEL_KEYS.written}, or one a line ({PAGE})."
        ) from error
    if not keys:
        raise SettingError(
            f"EBB_MODEL_KEYS_FILE='{path}' has no key. Write {MODEL_KEYS.written}, or one a line ({PAGE})."
        )
    return msgspec.structs.replace(settings, model_keys=keys)


def _read_secret(path: str, what: str, remedy: str) -> str:
    """The text of a file that holds a secret."""
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise SettingError(f"{what}='{path}' cannot be read: {why}. {remedy} ({PAGE}).") from error
