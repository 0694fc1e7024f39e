"""docs/settings.md says what the declarations say."""

from pathlib import Path

from stream.settings.declaring import PAGE, declared
from stream.settings.load import READERS
from stream.settings.page import page


def test_the_page_is_in_step_with_the_declarations(pytestconfig):
    assert (Path(pytestconfig.rootpath) / PAGE).read_text() == page(), "run `make settings-page`"


def test_every_setting_has_one_row_with_its_default_and_its_meaning():
    rows = [line for line in page().splitlines() if line.startswith("| `EBB_")]
    names = {entry.name for kind in READERS.values() for entry in declared(kind)}
    assert sorted(row.split("`")[1] for row in rows) == sorted(names)
    assert all(len([cell for cell in row.split("|") if cell.strip()]) == 5 for row in rows)


def test_every_default_is_a_value_that_may_be_written():
    for kind in READERS.values():
        for entry in declared(kind):
            text = ",".join(map(str, entry.default)) if isinstance(entry.default, tuple) else str(entry.default)
            assert entry.read(text) == entry.default, entry.name
