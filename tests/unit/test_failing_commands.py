"""How a command fails: in a line for what a person can mend, with its traceback for a bug."""

import errno

import pytest

from ebb.cli.errors import told


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
