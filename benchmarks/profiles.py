"""Where the time of a running process goes, by sampling it from outside: the same way for Ebb and for its peers."""

import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.contestants import Running

SAMPLES_PER_S, SECONDS = 200, 4
LINES = 40
WARM_UP_SHARE = 0.2


class CannotProfileError(Exception):
    """This machine does not let one process look into another."""


def profile(running: Running, events: int) -> str:
    """A table of the functions a process is in while it works off the log; waiting threads are left out (--gil).

    Raises:
        CannotProfileError: py-spy may not look into the process; the message says why.
    """
    while running.done() < WARM_UP_SHARE * events:
        time.sleep(0.05)
    return table(_sampled(running.processes[0].identity.pid))


def _sampled(pid: int) -> list[str]:
    """Stacks in the form `caller;callee count`."""
    spy = Path(sys.executable).with_name("py-spy")
    found = str(spy) if spy.exists() else shutil.which("py-spy")
    if found is None:
        raise CannotProfileError("py-spy is not installed: `make bench` installs it")
    with TemporaryDirectory() as folder:
        stacks = Path(folder) / "stacks"
        command = [found, "record", "--pid", str(pid), "--duration", str(SECONDS), "--rate", str(SAMPLES_PER_S)]
        command += ["--format", "raw", "--function", "--gil", "--output", str(stacks)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not stacks.exists():
            raise CannotProfileError(f"py-spy: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")
        return stacks.read_text().splitlines()


def table(stacks: Iterable[str]) -> str:
    """Shares of all samples: within the function itself, and with all it calls.

    >>> print(table(["main (a.py);fold (b.py) 3", "main (a.py) 1"]))
     self %  total %  function
       75.0     75.0  fold (b.py)
       25.0    100.0  main (a.py)
    """
    itself: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for line in stacks:
        frames, _, count = line.rpartition(" ")
        functions = frames.split(";")
        itself[functions[-1]] += int(count)
        within.update(dict.fromkeys(functions, int(count)))
    samples = max(1, sum(itself.values()))
    rows = [
        f"{100 * own / samples:7.1f}  {100 * within[name] / samples:7.1f}  {name}"
        for name, own in itself.most_common(LINES)
    ]
    return "\n".join([" self %  total %  function", *rows])
