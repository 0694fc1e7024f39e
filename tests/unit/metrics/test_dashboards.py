"""The committed dashboards and their page are what the code makes, and ask for nothing that does not exist."""

import json
import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from deploy.dashboards.boards import BOARDS, FOLDER
from deploy.dashboards.building import as_json
from deploy.dashboards.page import PAGE, written
from deploy.dashboards.panels import Board, Choice
from stream.metrics import ingest, learner, worker
from stream.scoring.documents import FLOORS

RULES = Path(__file__).parents[3] / "deploy" / "prometheus" / "rules.yml"


def exposed(registry: CollectorRegistry) -> set[str]:
    """The names a query may use."""
    names: set[str] = set()
    for family in registry.collect():
        if family.type == "histogram":
            names |= {f"{family.name}_{suffix}" for suffix in ("bucket", "sum", "count")}
        else:
            names.add(f"{family.name}_total" if family.type == "counter" else family.name)
    return names


KNOWN = exposed(worker.REGISTRY) | exposed(learner.REGISTRY) | exposed(ingest.REGISTRY)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_the_committed_dashboard_is_what_the_code_makes(board: Board):
    assert (FOLDER / f"{board.uid}.json").read_text() == as_json(board), "run `make dashboards`"


def test_no_dashboard_is_left_over():
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == sorted(board.uid for board in BOARDS)


def test_the_page_has_every_metric_and_every_panel_and_no_other(pytestconfig: pytest.Config):
    page = (pytestconfig.rootpath / PAGE).read_text()
    assert page == written(page), "run `make dashboards`"
    listed = re.findall(r"^\| `(ebb_\w+)` \|", page, re.MULTILINE)
    ours = {name.removesuffix("_bucket") for name in KNOWN if name.startswith("ebb_")}
    assert sorted(listed) == sorted(name for name in ours if not re.search(r"_seconds_(sum|count)$", name))


def test_what_panels_and_rules_ask_for_exists():
    asked = " ".join(query.expression for board in BOARDS for panel in board.panels() for query in panel.queries)
    assert set(re.findall(r"\b(?:ebb|process)_\w+", asked)) <= KNOWN
    expressions = re.findall(r"expr: (?:\|\n)?((?:.|\n)*?)\n +for|expr: (.*)", RULES.read_text())
    assert set(re.findall(r"\bebb_\w+", str(expressions))) <= KNOWN


def test_the_rule_about_floors_knows_all_floors():
    (floors,) = re.findall(r'candidate=~"([^"]+)"', RULES.read_text())
    assert sorted(floors.split("|")) == sorted(FLOORS)


def test_variables_that_panels_use_are_declared():
    for board in BOARDS:
        given = {variable.name for variable in board.variables} | {"__rate_interval"}
        used = {
            name
            for panel in board.panels()
            for query in panel.queries
            for name in re.findall(r"\$(\w+)", query.expression)
        }
        assert used <= given, board.uid
        assert all(isinstance(variable, Choice) or variable.value for variable in board.variables)


def thresholds(title: str) -> dict[str, float | None]:
    """Colour -> from where on a number on "Stream" has it."""
    panels = json.loads(as_json(BOARDS[0]))["panels"]
    steps = next(panel for panel in panels if panel["title"] == title)["fieldConfig"]["defaults"]["thresholds"]["steps"]
    return {step["color"]: step["value"] for step in steps}


def test_a_process_that_is_down_is_red_and_so_is_a_backlog():
    assert thresholds("Workers up") == {"red": None, "green": 1}
    assert thresholds("Learner up") == {"red": None, "green": 1, "orange": 2}
    assert thresholds("Records behind") == {"green": None, "orange": 10_000, "red": 1_000_000}


def test_stream_time_ahead_of_the_wall_can_be_seen():
    panels = {panel["title"]: panel for panel in json.loads(as_json(BOARDS[0]))["panels"]}
    assert "min" not in panels["Stream time behind the wall"]["fieldConfig"]["defaults"]
    assert panels["Commits"]["fieldConfig"]["defaults"]["min"] == 0


def test_model_figures_are_of_one_outcome_until_another_is_chosen():
    variables = json.loads(as_json(BOARDS[1]))["templating"]["list"]
    (outcome,) = (variable for variable in variables if variable["name"] == "outcome")
    assert (outcome["current"]["value"], outcome["includeAll"], outcome["multi"]) == ("lapsed", True, True)
    asked = [query.expression for panel in BOARDS[1].panels() for query in panel.queries]
    assert sum('{outcome=~"$outcome"}' in expression for expression in asked) == 3


def test_titles_differ_within_a_dashboard():
    for board in BOARDS:
        titles = [panel.title for panel in board.panels()]
        assert len(titles) == len(set(titles)), board.uid


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_panels_lie_beside_each_other_within_the_grid(board: Board):
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(as_json(board))["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert {y for _, y in taken} == set(range(max(y for _, y in taken) + 1)), "no empty line"
