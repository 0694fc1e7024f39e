"""How a command fails: in a line for what a person can mend, with its traceback for a bug."""

import errno
from pathlib import Path

import pytest
from click.testing import CliRunner

from ebb.cli import Commands
from ebb.cli.errors import told
from stream.errors import EbbError


@told
def writing(number: int) -> None:
    raise OSError(number, "the disk")


def test_a_full_disk_is_told_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        writing(errno.ENOSPC)
    assert ended.value.code == 1
    assert "found no room: [Errno 28] the disk. Make some" in capsys.readouterr().err


def test_another_error_of_the_system_keeps_its_traceback() -> None:
    with pytest.raises(OSError, match="the disk"):
        writing(errno.EIO)


def test_ctrl_c_while_a_command_is_imported_is_told_as_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loads_for_long.py").write_text("raise KeyboardInterrupt")
    monkeypatch.syspath_prepend(tmp_path)
    ended = CliRunner().invoke(Commands("ebb", modules={"worker": "loads_for_long"}), ["worker"])
    assert (ended.exit_code, ended.output) == (130, "ebb: interrupted\n")


def test_a_file_that_may_not_be_used_is_named_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    @told
    def reading() -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "orders.csv")

    with pytest.raises(SystemExit) as ended:
        reading()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("ebb: orders.csv cannot be used: Permission denied. See that ")


def test_what_others_have_written_moves_no_cursor_in_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    @told
    def asking() -> None:
        raise EbbError("The registry answers 500 \x1b[2J\u202e\x9b.\nAsk again.")

    with pytest.raises(SystemExit):
        asking()
    assert capsys.readouterr().err == "ebb: The registry answers 500 \\x1b[2J\\u202e\\x9b.\nAsk again.\n"
