"""Apache Kafka on this machine: one broker that is its own controller, for tests of delivery and for trying out."""

import base64
import subprocess
import uuid
from pathlib import Path

from ebb.services.kafka_libraries import KAFKA_TEST, kafka_libraries
from ebb.services.kafka_protocol import broker_answers
from ebb.services.ports import LOOPBACK, free_port
from ebb.services.service import Service
from stream.errors import ServiceError

HEAP = ("-Xms128m", "-Xmx320m", "-XX:+UseSerialGC")
FORMAT_WITHIN_S = 60


class ApacheKafka(Service):
    """The real broker. Its topics stay in `folder`: stopped or killed, it goes on with them when started again."""

    name = "apache-kafka"
    port_option = "choose another with `ebb kafka up --port PORT`"
    ready_within_s = 60.0
    stop_within_s = 30.0

    def __init__(self, folder: Path, port: int | None = None) -> None:
        super().__init__(folder, port)
        self._controller_port = free_port()

    @property
    def address(self) -> str:
        """host:port, as EBB_KAFKA_SERVERS takes it."""
        return f"{LOOPBACK}:{self.port}"

    def prepare(self) -> list[str]:
        """Fetch Kafka, write its configuration, format its folder when that is new."""
        java = self._java(kafka_libraries())
        configuration = self.folder / "server.properties"
        configuration.write_text(self._properties())
        if not (self._data / "meta.properties").exists():
            _run_once([*java, "kafka.tools.StorageTool", "format", "-t", _cluster_id(), "-c", str(configuration)])
        return [*java, "kafka.Kafka", str(configuration)]

    def answers(self) -> bool:
        """Whether it names itself to a client."""
        return broker_answers(self.port)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _java(self, libraries: Path) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={KAFKA_TEST / 'log4j2.properties'}"
        return ["java", *HEAP, logging, "-cp", f"{libraries}/*"]

    def _properties(self) -> str:
        """The common file and what differs between two brokers on one machine."""
        controller = f"{LOOPBACK}:{self._controller_port}"
        return (KAFKA_TEST / "server.properties").read_text() + "\n".join(
            [
                f"controller.quorum.voters=1@{controller}",
                f"listeners=PLAINTEXT://{self.address},CONTROLLER://{controller}",
                f"advertised.listeners=PLAINTEXT://{self.address}",
                f"log.dirs={self._data}",
                "",
            ]
        )


def _cluster_id() -> str:
    """A new id in Kafka's spelling: 16 random bytes in URL-safe base64 that does not begin with a dash."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")


def _run_once(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=FORMAT_WITHIN_S)  # noqa: S603 - a list of ours
    if done.returncode != 0:
        raise ServiceError(f"Apache Kafka's data folder cannot be formatted:\n{(done.stdout + done.stderr).strip()}")
