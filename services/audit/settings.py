"""What the audit service is told by its environment."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.settings import ProcessSettings, Secret, setting


@dataclass(frozen=True, kw_only=True)
class Settings(ProcessSettings):
    """The log's identity. `audit_origin` is the checkpoint's first line and the name of the signer's key.

    `audit_mirror_dir` is where the tiles are written as files ("" for nowhere);
    `audit_producers` are the services whose outboxes a check compares with the log, as producer=database;
    `audit_retention_years`, at least 6, is how long entries are kept after their quarter;
    `audit_check_every_hours` is how often the whole log is checked without being asked (0: never by itself);
    `audit_atna_address` is where the role `atna` listens (IHE's port for syslog over TLS is 6514), with its certificate,
    key, and the authority whose certificates the nodes show;
    `audit_pruner_uri` is how the database is reached by whoever removes what is due ("" for as everybody else);
    `intake_grpc` is where intake finds people by name, as host:port ("" for nowhere).
    """

    audit_origin: str = setting("KINDRED_AUDIT_ORIGIN", "kindred.local/audit")
    audit_signer_url: str = setting("KINDRED_AUDIT_SIGNER_URL", "http://127.0.0.1:8085")
    audit_mirror_dir: str = setting("KINDRED_AUDIT_MIRROR_DIR", "")
    audit_producers: tuple[str, ...] = setting("KINDRED_AUDIT_PRODUCERS", ())
    audit_retention_years: int = setting("KINDRED_AUDIT_RETENTION_YEARS", 7)
    audit_check_every_hours: float = setting("KINDRED_AUDIT_CHECK_EVERY_HOURS", 24.0)
    audit_atna_address: str = setting("KINDRED_AUDIT_ATNA_ADDRESS", "127.0.0.1:6514")
    audit_atna_tls_cert: str = setting("KINDRED_AUDIT_ATNA_TLS_CERT", "")
    audit_atna_tls_key: str = setting("KINDRED_AUDIT_ATNA_TLS_KEY", "")
    audit_atna_tls_client_ca: str = setting("KINDRED_AUDIT_ATNA_TLS_CLIENT_CA", "")
    audit_pruner_uri: Secret = setting("KINDRED_AUDIT_PRUNER_URI", Secret(), secret=True)
    intake_grpc: str = setting("KINDRED_INTAKE_GRPC", "")
    tenant: str = setting("KINDRED_TENANT", "local")
