"""Nodes of the ATNA trail for tests: an authority, a certificate for each side, and a node's end of a line."""

from __future__ import annotations

import socket
import ssl
import subprocess
from pathlib import Path


def openssl(folder: Path, *words: str) -> None:
    """One call of openssl in the folder."""
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def make_certificates(folder: Path) -> None:
    """An authority (ca.pem), our certificate (us.pem, us.key) and a node's (node.pem, node.key), all of today."""
    key = ("-newkey", "ed25519", "-nodes")
    openssl(folder, "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA")
    for name, subject in (("us", "/CN=127.0.0.1"), ("node", "/O=st-brigid/CN=PACS1")):
        openssl(folder, "req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", *signed, "-out", f"{name}.pem")


def a_node(port: int, certificates: Path, *, has_certificate: bool = True) -> ssl.SSLSocket:
    """A node's end of a connection."""
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    context.check_hostname = False
    if has_certificate:
        context.load_cert_chain(certificates / "node.pem", certificates / "node.key")
    raw = socket.create_connection(("127.0.0.1", port), timeout=20)
    return context.wrap_socket(raw)
