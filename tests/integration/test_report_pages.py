"""Pages of `ebb offline train` and `ebb offline segments` as a browser shows them."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from ebb.cli.offline import offline
from offline.report.page import note, page
from tests.integration.browser import width_px
from tests.integration.retail import file_until

pytest.importorskip("sklearn")
RUNS = {
    "chances": ("train", "--outcome", "purchase_7d", "--model", "logistic", "--search-tries", "1"),
    "amounts": ("train", "--outcome", "spend_10d", "--model", "logistic", "--search-tries", "1"),
    "segments": ("segments", "--clusters", "4"),
}
PHONE_PX = 360


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return file_until("2010-02-05", tmp_path_factory.mktemp("history"))


def test_a_long_name_in_a_note_breaks_on_a_phone(tmp_path: Path) -> None:
    written = tmp_path / "page.html"
    written.write_text(page("Training", "lead", [note(f"columns have one value ({'log_since_' * 12}days)")]), "utf-8")
    assert width_px(written, PHONE_PX, tmp_path) <= PHONE_PX


@pytest.mark.parametrize("run", RUNS)
def test_a_page_is_not_wider_than_a_phone(run: str, weeks: Path, tmp_path: Path) -> None:
    command, *options = RUNS[run]
    given = [command, str(weeks), "--source", "online_retail", "--out", str(tmp_path / run), *options]
    finished = CliRunner().invoke(offline, given)
    assert finished.exit_code == 0, finished.output
    assert width_px(tmp_path / run / "report.html", PHONE_PX, tmp_path) <= PHONE_PX
