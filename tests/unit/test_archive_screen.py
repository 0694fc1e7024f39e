"""What `ebb archive --list` and `--check` say of an archive."""

from pathlib import Path

from click.testing import CliRunner

from ebb.cli import main
from ebb.cli.archive import screen
from offline.archive.log_states import LogState

WHOLE = LogState("labels", 0, 0, 100, 1, 2_000_000, [], log_start=40, log_end=120)


def test_a_folder_without_an_archive_is_an_error_and_no_empty_table(tmp_path: Path) -> None:
    for shown in ("--list", "--check"):
        done = CliRunner().invoke(main, ["archive", "--to", str(tmp_path / "typo"), shown, "--json"])
        assert (done.exit_code, done.stdout) == (1, "")
        assert "typo holds no archive" in done.stderr


def test_a_gap_and_a_log_that_was_made_again_stand_beside_what_is_archived() -> None:
    torn = LogState("labels", 0, 0, 100, 1, 2_000_000, [], log_start=110, log_end=120)
    another = LogState("labels", 0, 0, 100, 1, 2_000_000, [], log_start=0, log_end=7)
    _, whole_line, torn_line, another_line, _ = screen([WHOLE, torn, another], {}).splitlines()
    assert whole_line.split() == ["labels", "0", "0-100", "1", "2.0", "40-120"]
    assert torn_line.endswith("GAP 100-109")
    assert "ANOTHER LOG" in another_line
