"""A KMIP 1.x server (PyKMIP) that knows its callers by their certificates alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cli.local import authority
from tests.providers import running
from tests.providers.gate import Gate

_SETTINGS = """[server]
hostname=127.0.0.1
port={port}
certificate_path={keys}/tls.audit.pem
key_path={keys}/tls.audit.pem
ca_path={keys}/tls.ca.pem
auth_suite=TLS1.2
enable_tls_client_auth=True
logging_level=INFO
database_path={keys}/kmip.db
policy_path={keys}/policies
"""


class KmipServer:
    """PyKMIP behind a gate; its two keys are registered by the first who wraps without naming one."""

    name = "kmip"

    def __init__(self, keys: Path) -> None:
        self._keys, port = keys, running.a_port()
        for each in ("policies", "elsewhere"):
            (keys / each).mkdir()
        (keys / "kmip.conf").write_text(_SETTINGS.format(port=port, keys=keys), encoding="utf-8")
        authority.create(keys / "elsewhere", ("intake",))
        told = ["-f", str(keys / "kmip.conf"), "-l", str(keys / "kmip.log")]
        self._process = running.started("pykmip-server", *told, port=port, log=keys / "pykmip.log")
        self._gate = Gate(port)
        self.away, self.back = self._gate.away, self._gate.back
        self.registered: list[str] = []

    def told(self, key: int | None = 0, certificate: str = "tls.intake.pem") -> dict[str, Any]:
        """The provider's file for the first or the second master key, or for a new one."""
        told: dict[str, Any] = {
            "provider": self.name,
            "credentials": {"endpoint": self._gate.address},
            "tls": {
                "tlsCAFile": str(self._keys / "tls.ca.pem"),
                "tlsCertificateKeyFile": str(self._keys / certificate),
            },
        }
        return told if key is None else told | {"master_key": {"keyId": self.registered[key]}}

    def wrong_credentials(self) -> list[dict[str, Any]]:
        """A certificate of another authority, one whose keys these are not, none at all, and a key that is not there."""
        another, nobody = self.told(), self.told()
        another["master_key"] = {"keyId": "4711"}
        del nobody["tls"]["tlsCertificateKeyFile"]
        strangers = [self.told(certificate=each) for each in ("elsewhere/tls.intake.pem", "tls.matching.pem")]
        return [*strangers, nobody, another]

    def stop(self) -> None:
        """PyKMIP has ended."""
        self._gate.away()
        running.ended(self._process)
