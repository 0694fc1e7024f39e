"""Nodes of a Redis Cluster that talk TLS alone and know the users of `deploy/`."""

import subprocess
from pathlib import Path

import redis

from ebb.services.ports import LOOPBACK
from tests.redis_cluster import ClusterNode

MAKE_SECRETS = Path(__file__).parents[1] / "deploy" / "make-secrets"


class Secrets:
    """A certificate for this machine, which is its own authority, and users with passwords."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._users = folder / "users"
        self.certificate, self.key = folder / "certificate.pem", folder / "key.pem"
        self.acl = self._users / "redis-users.acl"
        subprocess.run([MAKE_SECRETS, self._users], check=True)
        request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        name = ["-subj", "/CN=test", "-addext", f"subjectAltName=IP:{LOOPBACK}"]
        files = ["-keyout", str(self.key), "-out", str(self.certificate)]
        subprocess.run(["openssl", *request, *name, *files], check=True, capture_output=True)

    def password(self, user: str) -> str:
        """As the user's file has it."""
        return (self._users / f"{user}.env").read_text().partition(f"{user}:")[2].partition("@")[0]


class SecuredNode(ClusterNode):
    """A node that lets nobody in without TLS and a name."""

    def __init__(self, folder: Path, secrets: Secrets) -> None:
        super().__init__(folder)
        self._secrets = secrets
        password = secrets.password("operator")
        self.as_client = ["--tls", "--cacert", str(secrets.certificate), "--user", "operator", "--pass", password]
        self.as_migrating = ["AUTH2", "operator", password]

    def prepare(self) -> list[str]:
        certificate = str(self._secrets.certificate)
        tls = ["--tls-cert-file", certificate, "--tls-key-file", str(self._secrets.key)]
        tls += ["--tls-ca-cert-file", certificate]
        tls += ["--tls-auth-clients", "no", "--tls-cluster", "yes", "--tls-replication", "yes"]
        users = ["--aclfile", str(self._secrets.acl), "--masteruser", "operator"]
        users += ["--masterauth", self._secrets.password("operator")]
        return [*super().prepare(), "--port", "0", "--tls-port", str(self.port), *tls, *users]

    @property
    def address(self) -> str:
        return self.url("operator")

    def url(self, user: str) -> str:
        """A user's URL of the node."""
        password = "any" if user == "health" else self._secrets.password(user)
        return f"rediss://{user}:{password}@{LOOPBACK}:{self.port}/0?ssl_ca_certs={self._secrets.certificate}"

    def answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url("health")) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False
