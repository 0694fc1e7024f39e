"""`ebb models` beside a running learner: what it shows, and decisions that count without a restart and after a kill."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from click.testing import CliRunner

from ebb.cli import main
from offline.report.folder import write_run
from schemas.topics import LABELS
from schemas.units import DAY_MS
from stream.features.layout import LAYOUT
from stream.features.model_columns import MODEL_COLUMNS, SEGMENT_COLUMNS
from stream.redis_store import keys
from stream.scoring.documents import CALIBRATED, CANDIDATES, FLOORS, ROLLED
from stream.scoring.linear import LinearModel
from stream.scoring.trained import TrainedLinear
from tests.integration.processes import Deployment, deployed, eventually, send
from tests.unit.learning.label_history import labels
from tests.unit.learning.test_learning_segment_contest import DOCUMENT as CENTRES

OUTCOME = "churn_30d"
LABELS_SENT = 37 * 4 * 6  # four snapshots a day for six blocks of 37 days


def scored_labels() -> Iterator[bytes]:
    """Labels of six blocks, in which the recursive Newton regression was right more often than the champion."""
    for row, label in enumerate(labels(LABELS_SENT, outcome=OUTCOME)):
        snapshot_ms = row // 4 * DAY_MS
        shares = (
            dict.fromkeys((*ROLLED, *CANDIDATES, CALIBRATED), 0.8)
            | dict.fromkeys(FLOORS, 0.6)
            | {"newton_logistic": 0.9}
        )
        right = (label.value == 1.0) == (row % 10 != 0)
        scores = {name: share if right else 1 - share for name, share in shares.items()}
        yield msgspec.json.encode(
            msgspec.structs.replace(
                label, snapshot_ms=snapshot_ms, matured_ms=snapshot_ms + 31 * DAY_MS, scores=scores, partition=0
            )
        )


class Commands:
    """`ebb models` with the settings of a deployment."""

    def __init__(self, shop: Deployment) -> None:
        self._environ = shop.environ()

    def run(self, *arguments: str) -> Any:
        return CliRunner().invoke(main, ["models", *arguments], env=self._environ)

    def told(self, *arguments: str) -> Any:
        """What a command says as JSON."""
        done = self.run(*arguments, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def refused(self, *arguments: str) -> str:
        """What a command says that fails."""
        done = self.run(*arguments)
        assert done.exit_code == 1, done.output
        return str(done.stderr)


def trained() -> TrainedLinear:
    """A model of a run."""
    return TrainedLinear(
        name=OUTCOME,
        version="v-1",
        layout=LAYOUT,
        trained_until_ms=DAY_MS,
        rows=900,
        data_hash="ab",
        model=LinearModel((), (), (), (), bias=0.5),
    )


def test_a_person_s_decisions_count_without_a_restart_and_after_a_kill(
    embedded_kafka: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"EBB_PUBLISH_EVERY_MS": "100"}
    with deployed(embedded_kafka, redis_url, tmp_path, broker="embedded", settings=settings) as shop:
        models = Commands(shop)
        learner = shop.start("learner")
        send(shop.servers, [(LABELS, packed, 0, None, []) for packed in scored_labels()])
        eventually(lambda: _labels(models) == LABELS_SENT, what="all labels are learned")

        shown = models.told("show", OUTCOME)
        assert (shown["serving"], shown["proposed"]) == ("mean_logit", "newton_logistic")
        assert shown["evidence"]["newton_logistic"]["blocks"] == 5
        assert len(shown["reliability_by_28_days"]) == 8
        assert "To promote it now: ebb models promote churn_30d newton_logistic" in models.run("show", OUTCOME).stdout
        compared = models.told("compare", OUTCOME, "newton_logistic", "mean_logit")
        assert [block["is_open"] for block in compared["blocks"]] == [False] * 5 + [True]
        assert compared["evidence"]["is_better"]
        assert "newton_logistic is better than mean_logit" in (
            models.run("compare", OUTCOME, "newton_logistic", "mean_logit").stdout
        )

        itself = models.run("compare", OUTCOME, "mean_logit", "mean_logit")
        assert (itself.exit_code, "mean_logit differs from itself in nothing" in itself.output) == (2, True)

        assert "'nobody' is no candidate" in models.refused("promote", OUTCOME, "nobody")
        assert "none to go back to" in models.refused("rollback", OUTCOME)
        before = shown["version"]
        done = models.told("promote", OUTCOME, "newton_logistic", "--by", "ada")
        assert (done["serving"], done["is_pinned"]) == ("newton_logistic", False)

        shop.kill(learner)
        late = models.refused("pin", OUTCOME, "mean_logit", "--timeout", "0.1")
        assert "no learner has taken it" in late
        learner = shop.start("learner")
        eventually(lambda: _summary(models)["is_pinned"], what="the decision is taken")
        reigns = models.told("show", OUTCOME)["reigns"]
        assert [(reign["candidate"], reign["by"]) for reign in reigns] == [
            ("mean_logit_hazard", "start"), ("newton_logistic", "person"), ("mean_logit", "person"),
        ]  # fmt: skip
        assert reigns[1]["who"] == "ada"
        assert not models.told("unpin", OUTCOME)["is_pinned"]
        assert models.told("rollback", OUTCOME)["champion"] == "newton_logistic"
        assert models.told("rollback", OUTCOME, "--to", before)["serving"] == f"version_{before.replace('.', '_')}"
        assert not models.told("unpin", OUTCOME)["is_pinned"]
        assert models.told("rollback", OUTCOME, "--to", before)["is_pinned"], "it is champion already"
        for name, value in shop.environ().items():
            monkeypatch.setenv(name, value)
        run = tmp_path / "run"
        write_run(run, {"chosen": "logistic", "model_columns": MODEL_COLUMNS}, {}, {"logistic": trained()}, "")
        published = CliRunner().invoke(main, ["offline", "publish", str(run), "--name", "outsider", "--by", "ada"])
        assert published.exit_code == 0, published.output
        assert f"{OUTCOME}: outsider takes part; " in published.stdout
        eventually(lambda: "outsider" in models.told("show", OUTCOME)["recipes"], what="the challenger takes part")

        assert "  published outsider: v-1: logistic on 900 rows" in models.run("show", OUTCOME).stdout
        assert "no challenger from outside" in models.refused("withdraw", OUTCOME, "newton_logistic")
        assert models.run("pin", OUTCOME, "hazard", "--timeout", "-1").exit_code == 2

        centres = tmp_path / "segments"
        write_run(centres, {"segment_columns": SEGMENT_COLUMNS}, {}, {"segments": CENTRES}, "")
        published = CliRunner().invoke(main, ["offline", "publish", str(centres), "--by", "ada"])
        assert published.exit_code == 0, published.output
        assert models.told("show", "segments")["recipes"].keys() == {"offline_segments"}
        done = models.told("promote", "segments", "offline_segments", "--by", "ada")
        assert (done["champion"], done["serving"]) == ("offline_segments", "offline_segments")
        assert "offline_segments since" in models.run("show", "segments").stdout
        assert json.loads(models.run("export", "segments", "-").stdout)["centres"] == [list(c) for c in CENTRES.centres]
        assert "is no outcome" in models.refused("compare", "segments", "online", "offline_segments")
        assert models.told("pin", "segments", "offline_segments", "--by", "ada")["is_pinned"]
        assert "by ada (promote), pinned" in models.run("show", "segments").stdout
        assert models.told("rollback", "segments")["champion"] == "online"

        file = tmp_path / "churn.json"
        models.told("export", OUTCOME, str(file))
        exported = json.loads(file.read_text())
        assert {*CANDIDATES, CALIBRATED, "outsider"} < exported["candidates"].keys()
        assert exported["lineage"]["champion"]["by"] == "person"
        assert "Choose another FILE" in models.refused("export", OUTCOME, str(tmp_path / "nowhere" / "churn.json"))
        assert f"There is no version '7' of {OUTCOME}" in models.refused("export", OUTCOME, "-", "--version", "7")
        with redis.Redis.from_url(redis_url) as client:
            version = exported["version"]
            sealed = client.get(keys.model(OUTCOME, version))
            client.set(keys.model(OUTCOME, version), sealed[:-1] + b" ")
        refused = models.refused("export", OUTCOME, "-")
        assert f"Version {version} of {OUTCOME} in Redis is refused: A model's signature does not match" in refused
        listed = models.run("list").stdout.splitlines()
        (row,) = (at for at, line in enumerate(listed) if line.startswith(OUTCOME))
        assert (listed[row].split()[-1], listed[row + 1]) == ("refused", f"  ebb models show {OUTCOME} says why")
        shop.kill(learner)
        shop.start("learner")
        eventually(lambda: models.run("export", OUTCOME, "-").exit_code == 0, what="the learner has published it anew")


def _summary(models: Commands) -> Any:
    return models.told("list")["models"][0]


def _labels(models: Commands) -> int:
    return int(_summary(models)["labels"])
