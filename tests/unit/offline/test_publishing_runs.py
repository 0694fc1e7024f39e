"""`ebb offline publish` reads runs: what can be a challenger, and what is said of what cannot."""

from pathlib import Path

import msgspec
import pytest

from ebb.models.of_runs import challenger_of_run
from ebb.models.publishing import notes
from ebb.models.reading import ModelError
from offline.report.folder import write_run
from schemas.units import DAY_MS
from stream.customers.segments import name_centres
from stream.errors import ModelRefusedError
from stream.features.layout import LAYOUT
from stream.features.model_columns import MODEL_COLUMNS, SEGMENT_COLUMNS
from stream.scoring.challengers import ChallengerDocument, decode_challenger, encode_challenger
from stream.scoring.documents import SegmentDocument, encode
from stream.scoring.linear import LinearModel
from stream.scoring.trained import SpendLinear, TrainedLinear, TrainedTrees
from stream.scoring.trees import TreeModel

KNOWN = {"name": "churn_30d", "version": "v-1", "layout": LAYOUT, "trained_until_ms": 7, "rows": 900, "data_hash": "ab"}
LINEAR = TrainedLinear(**KNOWN, model=LinearModel((MODEL_COLUMNS[0],), (0.5,), (2.0,), (0.25,), bias=-1.0))
STUMP = TreeModel((MODEL_COLUMNS[0],), (0,), (-1,), (0.0,), (0,), (0,), (0,), (0.5,))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    models = {"logistic": LINEAR, "boosting": TrainedTrees(**KNOWN, model=STUMP)}
    write_run(tmp_path / "run", {"chosen": "logistic", "model_columns": MODEL_COLUMNS}, {}, models, "<html>")
    return tmp_path / "run"


def test_the_chosen_model_becomes_a_challenger_that_a_learner_takes(run: Path) -> None:
    made = challenger_of_run(run, None, None)
    assert (made.outcome, made.name, made.trained_until_ms) == ("churn_30d", "offline_logistic", 7)
    taken = decode_challenger(encode_challenger(made), "churn_30d", "offline_logistic", LAYOUT)
    assert taken.model == LINEAR.model
    assert "900 rows" in taken.recipe
    assert challenger_of_run(run, "logistic", "winter").name == "winter"


def test_trees_become_a_challenger_as_they_are(run: Path) -> None:
    made = challenger_of_run(run, "boosting", None)
    taken = decode_challenger(encode_challenger(made), "churn_30d", "offline_boosting", LAYOUT)
    assert isinstance(taken, ChallengerDocument)
    assert taken.model == STUMP
    assert notes(made, budget_us=2.0) == []
    assert "is judged, but not promoted" in notes(made, budget_us=-1.0)[0]


def test_centres_become_a_challenger_of_segments(tmp_path: Path) -> None:
    names = tuple(name_centres([[0.0] * 4], [3.0] * 4, [1.0] * 4))
    centres = SegmentDocument(
        version="kmeans-1",
        epoch_day=14_000,
        layout=LAYOUT,
        means=(3.0,) * 4,
        scales=(1.0,) * 4,
        centres=((0.0,) * 4,),
        names=names,
        samples=900,
    )
    configuration = {"segment_columns": SEGMENT_COLUMNS, "data_hash": "abc"}
    write_run(tmp_path / "run", configuration, {}, {"segments": centres}, "<html>")
    made = challenger_of_run(tmp_path / "run", None, None)
    assert (made.outcome, made.name, made.trained_until_ms) == ("segments", "offline_segments", 14_000 * DAY_MS)
    assert decode_challenger(encode_challenger(made), "segments", "offline_segments", LAYOUT).model == centres


def test_what_workers_cannot_score_is_named(run: Path) -> None:
    spend = SpendLinear(**KNOWN, reached=LINEAR.model, log_amount=LINEAR.model, smearing=1.0)
    (run / "models" / "spend.json").write_bytes(encode(spend))
    with pytest.raises(ModelError, match="predicts an amount"):
        challenger_of_run(run, "spend", None)
    with pytest.raises(ModelError, match="no model 'forest'; there are boosting, logistic, spend"):
        challenger_of_run(run, "forest", None)


def test_a_file_of_a_run_that_is_no_model_is_named_with_what_to_do(run: Path) -> None:
    path = run / "models" / "logistic.json"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ModelRefusedError, match=f"^{path} is refused: .* truncated.* make it again"):
        challenger_of_run(run, None, None)


@pytest.mark.parametrize("odd", [b'{"chosen":"caf\xe9"}', b'{"chosen":"logistic","more":' + b"[" * 100_000])
def test_a_configuration_that_cannot_be_read_is_named(run: Path, odd: bytes) -> None:
    (run / "run.json").write_bytes(odd)
    with pytest.raises(ModelError, match=r"run\.json is not that of a run"):
        challenger_of_run(run, None, None)


def test_a_folder_that_is_no_run_and_a_model_of_other_columns_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not that of a run"):
        challenger_of_run(tmp_path, None, None)
    configuration = {"chosen": "logistic", "model_columns": MODEL_COLUMNS[::-1]}
    (run / "run.json").write_bytes(msgspec.json.encode(configuration))
    made = challenger_of_run(run, None, None)
    with pytest.raises(ModelRefusedError, match="other columns"):
        decode_challenger(encode_challenger(made), made.outcome, made.name, LAYOUT)
