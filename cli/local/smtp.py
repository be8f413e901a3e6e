"""A real SMTP server for one machine: keeps every received mail as a file and delivers none of it."""

import argparse
import asyncio
import os
import secrets
import signal
from pathlib import Path

from aiosmtpd.controller import UnthreadedController
from aiosmtpd.smtp import SMTP, Envelope, Session


class MailFolder:
    """Keeps each accepted message as one `.eml` file that is there whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._received = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Answers 250 only after the file is on the disk; aiosmtpd gives the method its name."""
        content = envelope.content or b""
        head = f"X-Kindred-Envelope-To: {', '.join(envelope.rcpt_tos)}\r\n".encode()
        self._received += 1
        name = f"{os.getpid()}-{self._received:06d}-{secrets.token_hex(4)}"
        await asyncio.to_thread(self._keep, name, head + (content if isinstance(content, bytes) else b""))
        return f"250 2.0.0 kept as {name}"

    def _keep(self, name: str, content: bytes) -> None:
        draft = self._folder / f".{name}.draft"
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self._folder / f"{name}.eml")


def serve(folder: Path, host: str, port: int) -> None:
    """Receives mail until SIGTERM or SIGINT."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    loop = asyncio.new_event_loop()
    controller = UnthreadedController(MailFolder(folder), hostname=host, port=port, loop=loop)
    controller.begin()
    for ending in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(ending, loop.stop)
    loop.run_forever()
    controller.end()
    loop.close()


def main() -> None:
    """`python -m cli.local.smtp --folder var/mail --port 18404`"""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--folder", type=Path, required=True)
    reader.add_argument("--host", default="127.0.0.1")
    reader.add_argument("--port", type=int, required=True)
    asked = reader.parse_args()
    serve(asked.folder, asked.host, asked.port)


if __name__ == "__main__":
    main()
