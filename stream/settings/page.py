"""docs/settings.md, written from the declarations: `python -m stream.settings.page` writes it, a test compares."""

from pathlib import Path

from stream.settings.declaring import PAGE, Declared, declared
from stream.settings.load import READERS

BEFORE = """\
# Settings

Every setting is an environment variable, or a line `NAME=value` in a file `.env` in the folder the command runs in.
The environment wins; an empty value counts as not set. They are checked when a command starts. A wrong value ends it
with a message that names the variable, the value and what to write; so does a variable that begins with `EBB_` and is
not listed here.

    EBB_REDIS_URL=redis://redis-1:6379/0 EBB_KAFKA_SERVERS=kafka-1:9092,kafka-2:9092 ebb worker

Passwords in `EBB_REDIS_URL` and `EBB_REGISTRY_AUTH` and the keys in `EBB_MODEL_KEYS` are never printed or logged. A key
is made with `openssl rand -hex 32` and written with an id of your choice before it: `2026-11:0f3c…`. To change keys,
let all processes know the new one before it comes first and signs ([how](models.md#keeping-a-model)).

<!-- Below this line the page is written by `make settings-page`; the declarations are in stream/settings/. -->
"""
HEADER = "| setting | default | what to write | read by | meaning |\n|---|---|---|---|---|\n"


def page() -> str:
    """The whole page, in Markdown."""
    return BEFORE + "\n" + HEADER + "".join(_row(name, uses) for name, uses in _uses().items())


def _uses() -> dict[str, list[tuple[str, Declared]]]:
    """Every setting with its readers. What all read is not repeated for each."""
    common = {entry.name for entry in declared(READERS["all"])}
    uses: dict[str, list[tuple[str, Declared]]] = {}
    for reader, kind in READERS.items():
        for entry in declared(kind):
            if reader == "all" or entry.name not in common:
                uses.setdefault(entry.name, []).append((reader, entry))
    return uses


def _row(name: str, uses: list[tuple[str, Declared]]) -> str:
    entry = uses[0][1]
    cells = [f"`{name}`", _default(uses), entry.written, ", ".join(reader for reader, _ in uses), entry.meaning]
    return "| " + " | ".join(cells) + " |\n"


def _default(uses: list[tuple[str, Declared]]) -> str:
    """One default, or one for each reader where they differ."""
    texts = {reader: _text(entry.default) for reader, entry in uses}
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return ", ".join(f"{text} ({reader})" for reader, text in texts.items())


def _text(default: object) -> str:
    """A default as one would write it."""
    text = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
    if isinstance(default, bool):
        text = text.lower()
    return f"`{text}`" if text else "empty"


if __name__ == "__main__":
    Path(PAGE).write_text(page())
