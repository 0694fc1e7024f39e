"""README.md is executed: its commands and its Python run here, in order, against services of this machine.

And what it and the other documents name exists: files, headings, settings, metrics, make targets.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
import pytest

from ebb.parity import wait_for_lag_zero
from ebb.services.ebb_process import EbbProcess
from ebb.services.embedded_broker import CLIENT_SETTINGS, EmbeddedBroker
from ebb.services.embedded_redis import EmbeddedRedis
from ebb.services.ports import free_port
from stream.metrics import ingest as ingest_metrics
from stream.metrics import learner as learner_metrics
from stream.metrics import worker as worker_metrics
from stream.settings.declaring import declared
from stream.settings.load import READERS, load_common_settings

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCUMENTS = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
ABOUT_THE_PRODUCT = [README, *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLE = ROOT / "examples" / "online_retail" / "online_retail_2009-12_2010-12.parquet"

TOGETHER = [
    ["Two commands"],
    ["What you see"],
    ["Your own data"],
    ["On your Kafka and Redis", "From Python"],  # Python reads what the sections before it have started
]
"""Sections with something to execute; a list shares one folder and one environment."""

WITHOUT_A_DAEMON = ["Run it with Docker"]
"""Sections that tests/integration/test_deploy_compose.py reads line by line: no Docker runs where tests run."""

PROCESSES = ("worker", "learner")
SHOWN_CUSTOMERS = ["17850", "13085", "13078", "15362", "12682"]
LAG_WITHIN_S = 30.0


def blocks(section: str) -> list[tuple[str, str]]:
    """(language, text) of the fenced blocks of a section, in order."""
    text = re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", README.read_text(), re.DOTALL | re.MULTILINE)
    assert text is not None, f"README.md has no section {section!r}"
    return re.findall(r"^```(\w+)\n(.*?)^```$", text[1], re.DOTALL | re.MULTILINE)


class Reader:
    """Somebody who types what README.md says, in a folder that holds the histories it names.

    Ports are free ones where README.md leaves or writes the usual ones, and `ebb demo` without a history gets a small
    one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kafka_port, self.redis_port = free_port(), free_port()
        self.environ = {name: text for name, text in os.environ.items() if not name.startswith(("EBB_", "MAKE"))}
        self.environ["PATH"] = f"{Path(sys.executable).parent}:{self.environ['PATH']}"
        self.environ["EBB_KAFKA_SERVERS"] = f"127.0.0.1:{self.kafka_port}"
        self.environ["EBB_REDIS_URL"] = f"redis://127.0.0.1:{self.redis_port}/0"
        self.running: list[EbbProcess] = []

    def type(self, line: str) -> None:
        """One line of a shell block."""
        command = re.sub(r"\s*#.*", "", line).replace("127.0.0.1:9092", self.environ["EBB_KAFKA_SERVERS"])
        command = command.replace("redis://127.0.0.1:6379/0", self.environ["EBB_REDIS_URL"])
        match command.split():
            case ["make", target]:
                self.shell(f"make --dry-run {target}", ROOT)
            case ["ebb", name] if name in PROCESSES:
                self.start(name)
            case ["export", *_]:
                self.export(command)
            case ["ebb", "demo", *given]:
                small = " --no-simulated" + ("" if "--history" in given else " --history online_retail_2011.csv")
                self.shell(f"{command}{small} --kafka-port {self.kafka_port} --redis-port {self.redis_port}")
            case ["ebb", "down"]:
                self.stop()
                self.shell(command)
            case _:
                self.shell(command)

    def shell(self, command: str, folder: Path | None = None) -> None:
        """A command that ends by itself, and well."""
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=folder or self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"

    def export(self, command: str) -> None:
        """A setting for everything that follows."""
        name, _, value = command.removeprefix("export ").partition("=")
        self.environ[name] = value

    def start(self, name: str) -> None:
        """A process in a terminal of its own."""
        settings = {key: text for key, text in self.environ.items() if key.startswith("EBB_")}
        process = EbbProcess(name, self.folder, settings)
        self.running.append(process)
        process.start()
        process.wait_until_ready()

    def python(self, code: str) -> None:
        """A Python block; what it sends is applied when this returns."""
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{code}\n{done.stderr}"
        settings = load_common_settings(self.environ)
        wait_for_lag_zero(list(settings.kafka_servers), settings.redis_url, LAG_WITHIN_S)

    def stop(self) -> None:
        """Ctrl-C in the other terminals."""
        ended = [process.last_words() for process in self.running if process.has_ended()]
        for process in reversed(self.running):
            process.stop()
        self.running.clear()
        assert not ended, "\n".join(ended)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    (generic,) = [text for language, text in blocks("Your own data") if language == "csv"]
    (tmp_path / "orders.csv").write_text(generic)
    _write_small_history(tmp_path / "online_retail_2011.csv")
    made = Reader(tmp_path)
    yield made
    try:
        made.stop()
    finally:
        made.shell("ebb down")


def _write_small_history(path: Path) -> None:
    """Five customers of the example, its first 40 days."""
    lines = pyarrow.parquet.read_table(EXAMPLE)
    wanted = pyarrow.array([int(customer) for customer in SHOWN_CUSTOMERS], pyarrow.int32())
    early = pc.less(lines["InvoiceDate"], pyarrow.scalar(1_262_304_000_000 + 9 * 86_400_000, pyarrow.timestamp("ms")))
    chosen = lines.filter(pc.and_(early, pc.is_in(lines["Customer ID"], wanted)))
    pyarrow.csv.write_csv(chosen, path)


@pytest.fixture
def own_services(tmp_path: Path, pytestconfig: pytest.Config) -> Iterator[tuple[str, str]]:
    """Addresses of a Kafka and a Redis that were there before Ebb."""
    broker = EmbeddedBroker(tmp_path / "their-kafka", binaries=pytestconfig.rootpath / ".ebb" / "bin")
    with broker, EmbeddedRedis(tmp_path / "their-redis") as redis:
        yield broker.address, redis.address


@pytest.mark.parametrize("sections", TOGETHER, ids=lambda sections: sections[0])
def test_what_readme_says_to_type_works(sections: list[str], reader: Reader, request: pytest.FixtureRequest) -> None:
    if sections[0] == "On your Kafka and Redis":
        kafka, redis = request.getfixturevalue("own_services")
        reader.environ |= {"EBB_KAFKA_SERVERS": kafka, "EBB_REDIS_URL": redis} | CLIENT_SETTINGS
    for language, text in (block for section in sections for block in blocks(section)):
        if language == "sh":
            for line in text.splitlines():
                reader.type(line)
        elif language == "python":
            reader.python(text)
    reader.stop()


def test_everything_in_readme_that_can_be_executed_is() -> None:
    sections = re.findall(r"^## (.+)$", README.read_text(), re.MULTILINE)
    executable = [name for name in sections if {"sh", "python"} & {language for language, _ in blocks(name)}]
    assert executable == [name for together in TOGETHER for name in together] + WITHOUT_A_DAEMON


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files_and_headings_that_exist(document: Path) -> None:
    for link in re.findall(r"\]\((?!https?://)([^)\s]+)\)", document.read_text()):
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), f"{document.name}: {link}"
        if anchor:
            assert anchor in _anchors(target), f"{document.name}: {link}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_that_documents_name_exist(document: Path) -> None:
    named = re.findall(r"`((?:schemas|stream|offline|ebb|tests|docs|deploy|examples)/[\w./-]+)`", document.read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_what_contributing_says_is_in_a_file_is_there() -> None:
    prose = re.sub(r"^```.*?^```$", "", (ROOT / "CONTRIBUTING.md").read_text(), flags=re.DOTALL | re.MULTILINE)
    named = re.findall(r"`(\w+)`\s+(?:of|in)\s+`([\w/]+\.py)`", prose)
    assert named
    assert [(name, path) for name, path in named if not re.search(rf"\b{name}\b", (ROOT / path).read_text())] == []


def test_sections_that_the_code_refers_to_exist() -> None:
    def unescaped(name: str) -> str:
        return " ".join(name.replace("\\'", "'").split())

    pages = {page.name: re.findall(r"^#+ (.+)$", page.read_text(), re.M) for page in (ROOT / "docs").glob("*.md")}
    code = [path for package in ("schemas", "stream", "offline", "ebb") for path in (ROOT / package).rglob("*.py")]
    named = {ref for path in code for ref in re.findall(r'docs/([\w-]+\.md), "([^"]+)"', path.read_text())}
    assert [(page, name) for page, name in sorted(named) if unescaped(name) not in pages[page]] == []


def test_settings_that_documents_name_exist() -> None:
    known = {entry.name for kind in READERS.values() for entry in declared(kind)}
    for document in ABOUT_THE_PRODUCT:
        assert set(re.findall(r"\bEBB_[A-Z_]*[A-Z]\b", document.read_text())) - known == set(), document.name


def test_metrics_that_documents_name_exist() -> None:
    families = [
        family for module in (worker_metrics, learner_metrics, ingest_metrics) for family in module.REGISTRY.collect()
    ]
    known = {name for family in families for name in _exposed(family.name, family.type)}
    for document in ABOUT_THE_PRODUCT:
        assert set(re.findall(r"`(ebb_\w+)`", document.read_text())) - known == set(), document.name


def test_the_worked_changes_of_contributing_apply(tmp_path: Path) -> None:
    """Each on its own: `git apply` needs the context of every hunk to be there."""
    changes = re.findall(r"^```diff\n(.*?)^```$", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL | re.MULTILINE)
    assert changes
    for number, change in enumerate(changes):
        patch = tmp_path / f"{number}.diff"
        patch.write_text(change)
        done = subprocess.run(
            ["git", "apply", "--check", str(patch)], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{change}\n{done.stderr}"


def test_the_view_in_readme_is_the_view_of_the_code() -> None:
    from ebb.lookup import View  # noqa: PLC0415 - a name of the product under test

    attributes = set(re.findall(r"\bview\.(\w+)", README.read_text()))
    assert attributes <= {field.name for field in msgspec.structs.fields(View)}


def _anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _exposed(name: str, kind: str) -> list[str]:
    """The names under which Prometheus sees a metric, and a histogram as a whole."""
    if kind == "histogram":
        return [name, *(f"{name}_{suffix}" for suffix in ("bucket", "sum", "count"))]
    return [f"{name}_total"] if kind == "counter" else [name]
