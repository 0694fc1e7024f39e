"""Write the dashboards and their page: `make dashboards`. A test compares."""

from pathlib import Path

from deploy.dashboards.boards import BOARDS, FOLDER
from deploy.dashboards.building import as_json
from deploy.dashboards.page import PAGE, written

if __name__ == "__main__":
    for board in BOARDS:
        (FOLDER / f"{board.uid}.json").write_text(as_json(board))
    Path(PAGE).write_text(written(Path(PAGE).read_text()))
