"""Dashboards as Grafana reads them."""

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import BigValueGraphMode, LegendDisplayMode, LegendPlacement, StackingMode
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    GridPos,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
)

from deploy.dashboards.panels import Board, Choice, Constant, Panel

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
COLUMNS = 24  # of Grafana's grid
NUMBER_HEIGHT, GRAPH_HEIGHT, GRAPH_WIDTH = 4, 8, 8


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
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )


def _placed(panels: tuple[Panel, ...], top: int) -> list[tuple[Panel, GridPos]]:
    """Panels of a row from left to right; numbers share one line."""
    are_numbers = panels[0].kind == "number"
    width = COLUMNS // len(panels) if are_numbers else GRAPH_WIDTH
    height = NUMBER_HEIGHT if are_numbers else GRAPH_HEIGHT
    across = COLUMNS // width
    return [
        (panel, GridPos(h=height, w=width, x=at % across * width, y=top + at // across * height))
        for at, panel in enumerate(panels)
    ]


def _panel(panel: Panel) -> stat.Panel | timeseries.Panel:
    made = _number(panel) if panel.kind == "number" else _graph(panel)
    made.title(panel.title).description(panel.meaning).unit(panel.unit).datasource(DATASOURCE)
    for at, query in enumerate(panel.queries):
        made.with_target(
            prometheus.Dataquery()
            .ref_id(chr(ord("A") + at))
            .datasource(DATASOURCE)
            .expr(query.expression)
            .legend_format(query.legend)
            .range()
        )
    return made


def _number(panel: Panel) -> stat.Panel:
    steps = [Threshold(color="green", value=None)]
    for value, colour in ((panel.warns_at, "orange"), (panel.alarms_at, "red")):
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
    made = timeseries.Panel().legend(legend).fill_opacity(10).min(0)
    if panel.kind == "stacked":
        made.stacking(common.StackingConfig().mode(StackingMode.NORMAL)).fill_opacity(40)
    return made
