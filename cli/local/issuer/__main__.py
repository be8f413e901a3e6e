"""`python -m cli.local.issuer`: the development issuer as a process; it refuses to start in production."""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from chassis.http_server import serve
from chassis.settings import is_local
from cli.local.issuer.clients import load
from cli.local.issuer.door import Issuer
from cli.local.issuer.signing import SigningKeys

_EXIT_SETTINGS = 2


def refusal(mode: str, address: str) -> str:
    """Why it does not start, "" where it does."""
    if mode != "development":
        return "The development issuer asks for no password: it starts with KINDRED_MODE=development only."
    if not is_local(address):
        return "The development issuer is for this machine only: it listens on loopback or not at all."
    return ""


def main() -> int:
    """Serves until SIGTERM."""
    parser = argparse.ArgumentParser(prog="cli.local.issuer")
    for name in ("--address", "--cert", "--keys", "--clients"):
        parser.add_argument(name, required=True)
    given = parser.parse_args()
    why_not = refusal(os.environ.get("KINDRED_MODE", ""), given.address)
    if why_not:
        sys.stderr.write(f"{why_not}\n")
        return _EXIT_SETTINGS
    issuer = Issuer(f"https://{given.address}", SigningKeys(Path(given.keys)), load(Path(given.clients)))
    server = serve(issuer.app(), given.address, given.cert)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.signal(signal.SIGINT, lambda *_: ended.set())
    ended.wait()
    server.stop(grace_s=1.0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
