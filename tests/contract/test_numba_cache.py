"""Machine code that numba kept is not used any more when a function it holds, or a constant, has changed elsewhere."""

import subprocess
import sys
from pathlib import Path

CALLER = """
from stream.compiled import compiled
from called import UNIT, twice

@compiled
def price(number):
    return twice(number) * UNIT

print(price(3.0))
"""
CALLED = """
from stream.compiled import compiled

UNIT = 10

@compiled
def twice(number):
    return number * 2
"""


def said(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "caller.py"], cwd=folder, capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout.strip()


def test_code_that_was_kept_is_dropped_with_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "caller.py").write_text(CALLER)
    (tmp_path / "called.py").write_text(CALLED)
    assert said(tmp_path) == "60.0"
    (tmp_path / "called.py").write_text(CALLED.replace("number * 2", "number * 3"))
    assert said(tmp_path) == "90.0"
    (tmp_path / "called.py").write_text(CALLED.replace("UNIT = 10", "UNIT = 11"))
    assert said(tmp_path) == "66.0"


def test_code_is_kept_between_processes(tmp_path: Path) -> None:
    (tmp_path / "caller.py").write_text(CALLER + "print(sum(price.stats.cache_hits.values()))")
    (tmp_path / "called.py").write_text(CALLED)
    assert [said(tmp_path).split()[1] for _ in range(2)] == ["0", "1"]
