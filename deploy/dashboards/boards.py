"""All dashboards, and where their files are."""

from pathlib import Path

from deploy.dashboards.business import BUSINESS
from deploy.dashboards.ingest import INGEST
from deploy.dashboards.stream import STREAM

BOARDS = (STREAM, BUSINESS, INGEST)
FOLDER = Path(__file__).parents[1] / "grafana" / "dashboards"
