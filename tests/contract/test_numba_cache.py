"""Machine code that numba kept is not used any more when a function it holds, or a constant, has changed elsewhere."""

import subprocess
import sys
from pathlib import Path

import pytest

CALLER = """
from stream.compiled import compiled
from called import UNIT, twice

@compiled
def price(number):
    return twice(number) * UNIT

print(price(3.0), sum(price.stats.cache_hits.values()))
"""
CALLED = """
from stream.compiled import compiled

UNIT = 10

@compiled
def twice(number):
    return number * 2
"""


def run(folder: Path, called: str) -> list[str]:
    """The price, and whether kept code was used, of a process of its own."""
    (folder / "called.py").write_text(called)
    done = subprocess.run(
        [sys.executable, "caller.py"], cwd=folder, capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout.split()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """Twice the same, then with another function, then with another constant."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "caller.py").write_text(CALLER)
    changes = (CALLED, CALLED, CALLED.replace("number * 2", "number * 3"), CALLED.replace("UNIT = 10", "UNIT = 11"))
    return [run(folder, called) for called in changes]


def test_code_that_was_kept_is_dropped_with_what_it_holds(runs: list[list[str]]) -> None:
    assert [price for price, _ in runs] == ["60.0", "60.0", "90.0", "66.0"]


def test_code_is_kept_between_processes(runs: list[list[str]]) -> None:
    assert [hits for _, hits in runs] == ["0", "1", "0", "0"]
