"""Where a run can be written is known before a history is read."""

from pathlib import Path

import pytest

from offline.report.folder import refuse_taken
from stream.errors import OfflineError


@pytest.mark.parametrize(
    ("out", "why"),
    [
        ("file/run", "file is no folder"),
        ("file/new/run", "file is no folder"),
        ("dangling/run", "dangling is no folder"),
        ("dangling", "it is a symbolic link"),
        ("link", "it is a symbolic link"),
        ("r" * 300, "File name too long"),
        ("r" * 250, "File name too long"),  # with what is appended while it is written
    ],
)
def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, out: str, why: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    with pytest.raises(OfflineError, match=f"cannot be written: .*{why}. Choose another --out"):
        refuse_taken(tmp_path / out)


@pytest.mark.parametrize("out", ["empty", "new", "new/run", "r" * 240])
def test_one_that_is_new_or_empty_is_taken(tmp_path: Path, out: str) -> None:
    (tmp_path / "empty").mkdir()
    refuse_taken(tmp_path / out)
