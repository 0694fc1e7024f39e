"""How commands fail: one line and exit code 1 for what a person can mend; a bug keeps its traceback."""

import errno
import sys
from collections.abc import Callable
from functools import wraps
from typing import NoReturn, ParamSpec, TypeVar

import click

from ebb.text import printable
from stream.errors import EbbError

FAILED, INTERRUPTED = 1, 130
NO_ROOM = {errno.ENOSPC, errno.EDQUOT}  # of a disk, or of a person's share of it

Given = ParamSpec("Given")
Result = TypeVar("Result")


def told(command: Callable[Given, Result]) -> Callable[Given, Result]:
    """Turn Ebb's own errors, and those of the system about a file, into a line."""

    @wraps(command)
    def run(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        try:
            return command(*args, **kwargs)
        except EbbError as error:
            _say(str(error))
            sys.exit(FAILED)
        except OSError as error:
            if error.errno not in NO_ROOM and error.filename is None:
                raise
            _say(_sentence(error))
            sys.exit(FAILED)
        except KeyboardInterrupt:
            interrupted()

    return run


def _say(message: str) -> None:
    """One line or several, in which nothing that others have written moves the cursor."""
    click.echo("\n".join(map(printable, f"ebb: {message}".split("\n"))), err=True)


def interrupted() -> NoReturn:
    """End as Ctrl-C ends every command."""
    click.echo("ebb: interrupted", err=True)
    sys.exit(INTERRUPTED)


def _sentence(error: OSError) -> str:
    if error.errno in NO_ROOM:
        return f"What was to be written found no room: {error}. Make some, and run it again."
    return f"{error.filename} cannot be used: {error.strerror}. See that it is there and may be used, or name another."
