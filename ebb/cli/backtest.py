"""`ebb offline backtest`: would the online model have kept up with a nightly batch one?"""

from datetime import datetime
from typing import Any

import click
import msgspec

from ebb.backtest.past import past_of
from ebb.backtest.run import backtest as run
from ebb.backtest.screen import screen
from ebb.cli.bar import counting_bar
from ebb.cli.errors import told
from ebb.cli.histories import DAY, any_history_options, history_given
from ebb.compose.offline import shop_of
from offline.days import midnight_ms
from offline.scikit_learn import require_scikit_learn
from stream.errors import SettingError
from stream.settings.load import load_offline_settings


@click.command()
@any_history_options
@click.option("--outcome", required=True, help="What is predicted, one of EBB_OUTCOMES or EBB_OUTCOMES_FILE.")
@click.option(
    "--from",
    "split",
    type=DAY,
    required=True,
    metavar="YYYY-MM-DD",
    help="Models are judged from here on; batch ones are fitted on what was known then.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object.")
@told
def backtest(*, outcome: str, split: datetime, as_json: bool, **options: Any) -> None:
    """Live through a history as a lockstep replay does, and judge the online model beside batch ones.

    HISTORY is files of a --source, a folder of `ebb archive`, or one of `ebb simulate --parquet`. Needs no Kafka (but
    with --kafka) and no Redis, but scikit-learn: pip install 'ebb[offline]'.
    """
    require_scikit_learn()
    settings = load_offline_settings()
    outcomes = settings.predicted
    if outcome not in outcomes.names:
        raise SettingError(f"--outcome {outcome!r} is not declared. Declared are {', '.join(outcomes.names)}.")
    asked = outcomes.outcomes[outcomes.names.index(outcome)]
    with history_given(settings, options) as given:
        past = past_of(given.batches, given.reading, given.folder, given.memory_bytes, given.told)
        rules = shop_of(settings, given.reading.received_ms).rules
        with counting_bar("events") as show:
            found = run(past, given.reading.rejected, rules, asked, midnight_ms(split.date()), show)
    click.echo(msgspec.json.encode(found) if as_json else screen(found))
