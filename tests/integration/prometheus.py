"""A real Prometheus for tests (Debian's package `prometheus`), and its promtool."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from ebb.services.ports import LOOPBACK
from ebb.services.service import NotInstalledError, Service

DEPLOYED = Path(__file__).parents[2] / "deploy" / "prometheus"


def program(name: str, package: str) -> str:
    """The path of a program that a Debian package brings."""
    found = shutil.which(name)
    if found is None:
        raise NotInstalledError(f"There is no {name}. Install it (Debian: apt-get install {package}).")
    return found


def promtool(*arguments: str, folder: Path = DEPLOYED) -> None:
    """Run promtool; what it complains of fails the test."""
    command = [program("promtool", "prometheus"), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


class Prometheus(Service):
    """Prometheus with the configuration that is deployed, but for where it scrapes and how often.

    Args:
        folder: for its configuration and data.
        targets: `host:port` in the deployed configuration -> where it is in the test.
    """

    name = "prometheus"

    def __init__(self, folder: Path, targets: Mapping[str, str], port: int | None = None) -> None:
        super().__init__(folder, port)
        self._targets = targets

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def prepare(self) -> list[str]:
        shutil.copy(DEPLOYED / "rules.yml", self.folder)
        configuration = (DEPLOYED / "prometheus.yml").read_text().replace("scrape_interval: 5s", "scrape_interval: 1s")
        for deployed, tested in self._targets.items():
            assert deployed in configuration
            configuration = configuration.replace(deployed, tested)
        written = self.folder / "prometheus.yml"
        written.write_text(configuration.replace("evaluation_interval: 15s", "evaluation_interval: 1s"))
        return [
            program("prometheus", "prometheus"),
            f"--config.file={written}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address={LOOPBACK}:{self.port}",
        ]

    def answers(self) -> bool:
        try:
            with urlopen(f"{self.address}/-/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its API."""
        with urlopen(f"{self.address}/api/v1/{path}?{urlencode(parameters)}", timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """(labels, value) of each series of an expression, now."""
        found = self.ask("query", query=expression)["result"]
        return [(series["metric"], float(series["value"][1])) for series in found]

    def healthy_targets(self) -> list[str]:
        """Where it scrapes with success."""
        active = self.ask("targets", state="active")["activeTargets"]
        return [target["labels"]["instance"] for target in active if target["health"] == "up"]
