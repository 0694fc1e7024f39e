"""JSON Schema files of everything on the wire, for producers and consumers that are not written in Python.

`python -m schemas.json_schema` writes them again after a change of the structs; a test compares.
"""

import json
from inspect import cleandoc
from pathlib import Path
from typing import Any, get_args

import msgspec

from schemas.events import Input
from schemas.messages import AnyMessage
from schemas.products import Product

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FOLDER = Path(__file__).parent / "json"
KINDS: tuple[type[msgspec.Struct], ...] = (*get_args(Input), Product, *get_args(AnyMessage))


def generate(folder: Path) -> list[Path]:
    """Write one `<type>.json` for each kind of record into `folder` and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for kind in KINDS:
        file = folder / f"{kind.__struct_config__.tag}.json"
        schema: dict[str, Any] = {"$schema": DIALECT, **msgspec.json.schema(kind)}
        for definition in schema["$defs"].values():  # docstrings keep their indentation up to Python 3.12
            definition["description"] = cleandoc(definition["description"])
        file.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        files.append(file)
    return files


if __name__ == "__main__":
    generate(FOLDER)
