"""The key that signs models on this machine, made once."""

import os
import secrets
from pathlib import Path

KEY_BYTES = 32  # the block HMAC-SHA-256 draws its whole strength from
FILE = "model-keys"


def ensure_model_keys(folder: Path) -> Path:
    """Make the file of model keys with one new key, readable by its owner alone, unless it is there. Returns its path.

    `folder` is the project's `.ebb`, where EBB_MODEL_KEYS_FILE points by default.
    """
    path = folder / FILE
    folder.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path
    with os.fdopen(descriptor, "w") as file:
        file.write(f"local-{secrets.token_hex(3)}:{secrets.token_hex(KEY_BYTES)}\n")
    return path
