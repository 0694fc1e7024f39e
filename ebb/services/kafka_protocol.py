"""What services ask of a broker in the Kafka protocol, whatever it is made of."""

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from ebb.services.ports import LOOPBACK, is_open


def broker_answers(port: int) -> bool:
    """Whether a broker on a loopback port names itself as part of its cluster."""
    if not is_open(port):  # the client would wait and log its attempts
        return False
    try:
        admin = KafkaAdminClient(bootstrap_servers=f"{LOOPBACK}:{port}", request_timeout_ms=5_000)
    except KafkaError:
        return False
    try:
        return bool(admin.describe_cluster()["brokers"])
    except KafkaError:
        return False
    finally:
        admin.close()
