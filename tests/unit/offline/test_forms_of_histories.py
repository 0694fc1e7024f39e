"""A history gives the same rows and figures in whatever form it is."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from ebb.cli.features import features
from ebb.cli.histories import history_given
from ebb.cli.offline_segments import segments
from ebb.cli.train import train
from stream.settings.worker import WorkerSettings
from tests.replayed_logs import PARTITIONS, Logs, midnights, simulated


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A shop's folder, and an archive of its replay."""
    folder = tmp_path_factory.mktemp("history")
    slices = simulated(folder / "shop", customers=400, days=60, late=0.1, duplicate=0.05, browsing_per_need=0.5)
    return [folder / "shop", Logs(folder / "archive").replay(midnights(slices)).close()]


def run(command: click.Command, *given: str | Path) -> dict[str, Any]:
    finished = CliRunner().invoke(command, [*map(str, given), "--json"], env={"EBB_PARTITIONS": str(PARTITIONS)})
    assert finished.exit_code == 0, finished.output
    found: dict[str, Any] = json.loads(finished.stdout)
    return found


def test_features_are_the_same_to_the_byte_with_all_that_is_told_of_them(forms: list[Path], tmp_path: Path) -> None:
    asked = ("--at", "2024-01-20", "--every", "1d", "--until", "2024-02-28")
    told = [run(features, form, *asked, "--out", tmp_path / f"{form.name}.parquet") for form in forms]
    one, other = (each | {"events_per_s": 0} for each in told)
    assert one == other
    assert one["duplicates"] > 0
    assert one["late_rows"] > 0
    assert (tmp_path / "shop.parquet").read_bytes() == (tmp_path / "archive.parquet").read_bytes()


def test_what_is_learned_is_the_same(forms: list[Path], tmp_path: Path) -> None:
    for module in ("sklearn", "matplotlib"):
        pytest.importorskip(module)
    learning = ("--outcome", "purchase_7d", "--model", "forest", "--search-tries", "1")
    for command, asked, model in ((train, learning, "forest"), (segments, ("--clusters", "4"), "segments")):
        runs = [tmp_path / f"{command.name}-{form.name}" for form in forms]
        one, other = (run(command, form, *asked, "--out", made) for form, made in zip(forms, runs, strict=True))
        assert one == other
        hashes = {json.loads((made / "run.json").read_text())["data_hash"] for made in runs}
        assert len(hashes) == 1
        assert len({(made / "models" / f"{model}.json").read_bytes() for made in runs}) == 1


def test_whoever_is_told_to_end_leaves_nothing_of_a_history(forms: list[Path]) -> None:
    folders: list[Path] = []

    def read() -> None:
        options = {"history": forms[:1], "source": None, "columns": "", "from_kafka": False, "memory_mb": 1}
        with history_given(WorkerSettings(), options) as given:
            folders.append(given.folder)
            (given.folder / "0-0.npz").touch()
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit, match="143"):
        read()
    assert not folders[0].exists()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
