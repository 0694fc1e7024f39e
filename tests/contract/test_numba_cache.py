"""Machine code that numba kept is not used any more when a function it holds, or a constant, has changed elsewhere."""

import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from stream.compiled import KeptCode

CALLER = """
from stream.compiled import compiled
from called import UNIT, twice

NO_CONSTANT = (("half", lambda number: number / 2),)

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


def test_what_a_type_of_an_earlier_release_was_kept_for_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "Gone", type("Gone", (), {"__module__": __name__}), raising=False)
    KeptCode(tmp_path, "double", "stamp").save(sys.modules[__name__].Gone, "code")
    monkeypatch.delattr(sys.modules[__name__], "Gone")
    kept = KeptCode(tmp_path, "double", "stamp")
    assert kept.load("for floats") is None
    kept.save("for floats", "code")
    assert kept.load("for floats") == "code"


def test_two_that_keep_code_at_the_same_time_each_find_their_own_again(tmp_path: Path) -> None:
    both_have_looked = threading.Barrier(2)

    class Met(KeptCode):
        """Lets the other look at the index, too, before anything is written, unless that one has to wait."""

        def _load_index(self) -> Any:
            found = super()._load_index()
            with suppress(threading.BrokenBarrierError):
                both_have_looked.wait(0.3)
            return found

    types = ("for integers", "for floats")
    keeping = [threading.Thread(target=Met(tmp_path, "double", "stamp").save, args=(each, each)) for each in types]
    for thread in keeping:
        thread.start()
    for thread in keeping:
        thread.join()
    assert [KeptCode(tmp_path, "double", "stamp").load(each) for each in types] == list(types)
