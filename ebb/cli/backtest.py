"""`ebb offline backtest`: would the online model have kept up with a nightly batch one?"""

import time
from datetime import datetime
from pathlib import Path

import click
import msgspec

from ebb.backtest.run import backtest as run
from ebb.backtest.screen import screen
from ebb.cli.bar import counting_bar
from ebb.cli.errors import told
from ebb.cli.replay import history_options
from ebb.compose.offline import shop_of
from offline.days import midnight_ms
from offline.scikit_learn import require_scikit_learn
from offline.sources import read_history
from offline.sources.columns import parse_mapping
from stream.errors import SettingError
from stream.settings.load import load_offline_settings


@click.command()
@history_options
@click.option("--outcome", required=True, help="What is predicted, one of EBB_OUTCOMES or EBB_OUTCOMES_FILE.")
@click.option(
    "--from",
    "split",
    type=click.DateTime(["%Y-%m-%d"]),
    required=True,
    metavar="YYYY-MM-DD",
    help="Models are judged from here on; batch ones are fitted on what was known then.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object.")
@told
def backtest(files: tuple[Path, ...], source: str, columns: str, outcome: str, split: datetime, as_json: bool) -> None:
    """Live through a history as a lockstep replay does, and judge the online model beside batch ones.

    Needs no Kafka and no Redis, but scikit-learn: pip install 'ebb[offline]'.
    """
    require_scikit_learn()
    settings = load_offline_settings()
    outcomes = settings.predicted
    if outcome not in outcomes.names:
        raise SettingError(f"--outcome {outcome!r} is not declared. Declared are {', '.join(outcomes.names)}.")
    asked = outcomes.outcomes[outcomes.names.index(outcome)]
    history = read_history(files, source, settings.currency, parse_mapping(columns))
    shop = shop_of(settings, received_ms=time.time_ns() // 1_000_000)
    with counting_bar("events") as show:
        found = run(history, shop, asked, midnight_ms(split.date()), show)
    click.echo(msgspec.json.encode(found) if as_json else screen(found))
