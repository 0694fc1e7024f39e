"""Dashboards as Grafana reads them."""

from collections.abc import Callable, Mapping

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueGraphMode,
    BigValueTextMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    GridPos,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
)

from deploy.dashboards.panels import Board, Choice, Constant, Kind, Panel

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
COLUMNS = 24  # of Grafana's grid
NUMBER_HEIGHT, GRAPH_HEIGHT, GRAPHS_A_LINE = 4, 8, 3


def as_json(board: Board) -> str:
    """The file of a dashboard."""
    return JSONEncoder(indent=2, sort_keys=True).encode(_built(board)) + "\n"


def _built(board: Board) -> object:
    made = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.meaning)
        .tags(["ebb"])
        .time("now-1h", "now")
        .refresh("10s")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    )
    for variable in board.variables:
        made.with_variable(_variable(variable))
    top = 0
    for row in board.rows:
        made.with_row(dashboard.Row(row.title).grid_pos(GridPos(h=1, w=COLUMNS, x=0, y=top)))
        top += 1
        for panel, place in _placed(row.panels, top):
            made.with_panel(_panel(panel).grid_pos(place))
            bottom = place.y + place.h
        top = bottom
    return made.build()


def _variable(variable: Choice | Constant) -> dashboard.QueryVariable | dashboard.TextBoxVariable:
    if isinstance(variable, Constant):
        return dashboard.TextBoxVariable(variable.name).label(variable.label).default_value(variable.value)
    return (
        dashboard.QueryVariable(variable.name)
        .label(variable.label)
        .datasource(DATASOURCE)
        .query(variable.values_of)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(selected=True, text=variable.first or "All", value=variable.first or "$__all"))
    )


def _placed(panels: tuple[Panel, ...], top: int) -> list[tuple[Panel, GridPos]]:
    """Panels of a row: numbers on one line, others on lines of three at most, each as full as it can be."""
    are_numbers = panels[0].kind == "number"
    height = NUMBER_HEIGHT if are_numbers else GRAPH_HEIGHT
    lines = 1 if are_numbers else -(-len(panels) // GRAPHS_A_LINE)
    placed, begin = [], 0
    for line in range(lines):
        end = len(panels) * (line + 1) // lines
        width = COLUMNS // (end - begin)
        for at, panel in enumerate(panels[begin:end]):
            placed.append((panel, GridPos(h=height, w=width, x=at * width, y=top + line * height)))
        begin = end
    return placed


def _panel(panel: Panel) -> stat.Panel | timeseries.Panel:
    made = _MAKERS[panel.kind](panel)
    made.title(panel.title).description(panel.meaning).unit(panel.unit).datasource(DATASOURCE)
    for at, query in enumerate(panel.queries):
        target = prometheus.Dataquery().ref_id(chr(ord("A") + at)).datasource(DATASOURCE)
        target.expr(query.expression).legend_format(query.legend)
        made.with_target(target.instant() if panel.kind == "names" else target.range())
    return made


def _number(panel: Panel) -> stat.Panel:
    steps = [Threshold(color="green" if panel.alarms_below is None else "red", value=None)]
    for value, colour in ((panel.alarms_below, "green"), (panel.warns_at, "orange"), (panel.alarms_at, "red")):
        if value is not None:
            steps.append(Threshold(color=colour, value=value))
    return (
        stat.Panel()
        .graph_mode(BigValueGraphMode.AREA)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    )


def _graph(panel: Panel) -> timeseries.Panel:
    legend = common.VizLegendOptions().show_legend(True)
    legend.display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    made = timeseries.Panel().legend(legend).fill_opacity(10)
    if not panel.is_signed:
        made.min(0)
    if panel.kind == "stacked":
        made.stacking(common.StackingConfig().mode(StackingMode.NORMAL)).fill_opacity(40)
    return made


def _names(_: Panel) -> stat.Panel:
    """The names of the series of this moment, without their values."""
    return stat.Panel().graph_mode(BigValueGraphMode.NONE).text_mode(BigValueTextMode.NAME)


_MAKERS: Mapping[Kind, Callable[[Panel], stat.Panel | timeseries.Panel]] = {
    "number": _number,
    "names": _names,
    "graph": _graph,
    "stacked": _graph,
}
