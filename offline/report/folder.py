"""A run as a folder: configuration, metrics and models as JSON, and a page. It is there whole, or not at all."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp

import msgspec

from offline.outputs import hindrance
from stream.errors import OfflineError
from stream.scoring.documents import encode

CONFIGURATION, METRICS, PAGE, MODELS = "run.json", "metrics.json", "report.html", "models"


def refuse_taken(folder: Path) -> None:
    """See that a run may be written there.

    Raises:
        OfflineError: something is there already, or nothing can be written there.
    """
    if os.path.exists(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise OfflineError(f"{folder} is there already. Choose another --out: a run is never written over.")
    # A folder takes the place of an empty folder, and not of a link to one or to nothing.
    why = "it is a symbolic link" if os.path.islink(folder) else hindrance(folder)
    if why:
        raise OfflineError(f"{folder} cannot be written: {why}. Choose another --out.")


def write_run(
    folder: Path, configuration: object, metrics: object, models: Mapping[str, msgspec.Struct], page: str
) -> None:
    """Write a run; the folder is there when it is whole.

    Args:
        folder: new, or empty.
        configuration: how it came about.
        metrics: what was found.
        models: name -> document, each a file under `models`.
        page: HTML.

    Raises:
        OfflineError: something is there already, or it cannot be written.
    """
    refuse_taken(folder)
    unfinished = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
        unfinished.chmod(0o755)
        (unfinished / MODELS).mkdir()
        (unfinished / CONFIGURATION).write_bytes(_readable(configuration))
        (unfinished / METRICS).write_bytes(_readable(metrics))
        for name, document in models.items():
            (unfinished / MODELS / f"{name}.json").write_bytes(encode(document))
        (unfinished / PAGE).write_text(page, "utf-8")
        if folder.exists():
            folder.rmdir()
        unfinished.replace(folder)
    except OSError as error:
        raise OfflineError(f"{folder} cannot be written: {error.strerror or error}. Choose another --out.") from error
    finally:
        if unfinished is not None:
            shutil.rmtree(unfinished, ignore_errors=True)  # of a whole run nothing is left there


def _readable(content: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"
