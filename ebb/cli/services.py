"""`ebb up`, `ebb down`, `ebb kafka up`: services on this machine."""

import os
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import click

from ebb.cli.errors import told
from ebb.services.apache_kafka import ApacheKafka
from ebb.services.embedded_broker import CLIENT_SETTINGS
from ebb.services.local import FOLDER, run_in_background, start_embedded, stop_everything
from ebb.services.model_keys import ensure_model_keys
from ebb.services.ports import LOOPBACK
from ebb.services.running import RunningProcess, RunningProcesses
from stream.errors import ServiceError
from stream.settings.common import CommonSettings
from stream.settings.load import load_common_settings

THIS_MACHINE = frozenset({LOOPBACK, "localhost"})
KAFKA_PORT = 9092
REDIS_PORT = 6379


@click.command()
@click.option(
    "--kafka-port", type=click.IntRange(1, 65_535), help="Port of the broker; that of EBB_KAFKA_SERVERS if not given."
)
@click.option("--redis-port", type=click.IntRange(1, 65_535), help="Port of Redis; that of EBB_REDIS_URL if not given.")
@told
def up(kafka_port: int | None, redis_port: int | None) -> None:
    """Start an embedded broker and Redis in the background, both empty."""
    settings = load_common_settings()
    folder = Path(FOLDER)
    ensure_model_keys(folder)
    started = start_embedded(folder, kafka_port or _kafka_port(settings), redis_port or _redis_port(settings))
    for process in started.ended:
        click.echo(f"{process.name} ran without its companion and was restarted empty with it.")
    _show(started.running, "runs already" if started.already else "started")
    broker, redis = started.running
    for option, port, process in (("--kafka-port", kafka_port, broker), ("--redis-port", redis_port, redis)):
        if port is not None and port != _port_of(process):
            raise ServiceError(f"{option} {port} is not where {process.name} runs. `ebb down` first; it empties both.")
    _show_next({"EBB_KAFKA_SERVERS": broker.address, "EBB_REDIS_URL": redis.address} | CLIENT_SETTINGS)


@click.command()
@told
def down() -> None:
    """Stop everything that runs in the background: services, and what `ebb demo --keep` left."""
    ended = stop_everything(Path(FOLDER))
    _show(ended, "stopped")
    if not ended:
        click.echo("nothing runs")


@click.group()
def kafka() -> None:
    """Apache Kafka on this machine, for tests and trying out (needs Java and Maven)."""


@kafka.command("up")
@click.option("--port", type=click.IntRange(1, 65_535), default=KAFKA_PORT, show_default=True, help="Port to serve.")
@click.option("--detach", is_flag=True, help="Run in the background, until `ebb down`.")
@told
def kafka_up(port: int, detach: bool) -> None:
    """Run one Apache Kafka broker until Ctrl-C. Its topics stay in .ebb/apache-kafka."""
    folder = Path(FOLDER)
    processes = RunningProcesses(folder)
    service = ApacheKafka(folder / ApacheKafka.name, port)
    with processes.changing():
        running = processes.named(service.name)
        if running is not None and (not detach or running.address != service.address):
            raise ServiceError(f"{service.name} already runs at {running.address}. Stop it with `ebb down`.")
        if detach:
            _show([running or run_in_background(processes, service)], "runs already" if running else "started")
            return
    _run_in_front(service)


def _run_in_front(service: ApacheKafka) -> None:
    """Serve until Ctrl-C or a request to end; the broker stops in order either way."""
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, signal.default_int_handler)
    try:
        with service:
            click.echo(f"{service.name}  {service.address}  ready, Ctrl-C stops it")
            service.wait()
    except KeyboardInterrupt:
        click.echo(f"\n{service.name}  stopped")
        return
    raise ServiceError(f"{service.name} ended by itself. See {service.log}.")


def _kafka_port(settings: CommonSettings) -> int:
    host, _, port = settings.kafka_servers[0].rpartition(":")
    if len(settings.kafka_servers) > 1 or host not in THIS_MACHINE:
        raise ServiceError(
            f"EBB_KAFKA_SERVERS={','.join(settings.kafka_servers)!r} is not one server on this machine, and `ebb up` "
            f"starts that. Set EBB_KAFKA_SERVERS={LOOPBACK}:{KAFKA_PORT}, or give --kafka-port."
        )
    return int(port)


def _redis_port(settings: CommonSettings) -> int:
    parts = urlsplit(settings.redis_url)
    if parts.scheme != "redis" or parts.hostname not in THIS_MACHINE:
        raise ServiceError(
            "EBB_REDIS_URL does not name a Redis on this machine, and `ebb up` starts that. "
            f"Set EBB_REDIS_URL=redis://{LOOPBACK}:{REDIS_PORT}/0, or give --redis-port."
        )
    return parts.port or REDIS_PORT


def _show(processes: Iterable[RunningProcess], what: str) -> None:
    for process in processes:
        log = os.path.relpath(process.log)
        click.echo(f"{process.name:<16} {process.address:<27} {what:<13} {log}")


def _port_of(process: RunningProcess) -> int | None:
    return urlsplit(process.address if "://" in process.address else f"//{process.address}").port


def _show_next(places: Mapping[str, str]) -> None:
    click.echo("next: `ebb worker` and `ebb learner`, in a terminal each, with")
    for name, value in places.items():
        click.echo(f"  export {name}={value}")
    click.echo("stop: `ebb down`")
