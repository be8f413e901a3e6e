"""One whole system whose every connection goes through a fault proxy: between any two processes, and to far sides."""

from __future__ import annotations

import copy
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from chassis import tls
from cli.local import access, policy, processes
from cli.local.children import Child
from cli.local.place import Place
from kindred.notifications.v1 import notifications_pb2, notifications_pb2_grpc
from tests.driving import SERVICES, Client, Officer, Roster, Running, a_specialist, a_supervisor, roster_csv
from tests.faults.clients import Clients
from tests.faults.ground import Cell, Ground, begin_cell, patiently
from tests.faults.proxy import Fault, FaultProxy
from tests.integration.notifications.posted_side import PostedSide, sms_account

# Each way; a submit makes about eight calls to the database one after the other.
SLOW_S = 0.1
CALLER = "caller"
DATABASE, BROKER, MAIL, SMS, SIGNER, WITNESS, INTAKE = (
    "mongod", "rabbitmq", "mail", "sms", "signer", "witness", "intake",
)  # fmt: skip


@dataclass(frozen=True)
class Wire:
    """What somebody says to somebody, and hears from them, over connections that they begin."""

    near: str
    far: str
    proxy: FaultProxy

    def __str__(self) -> str:
        return f"{self.near} to {self.far}"


@dataclass(repr=False)
class WithPhones(Running):
    """A system of whose people some are told by SMS; the API that takes these is in this process."""

    phones: PostedSide = field(default_factory=PostedSide)

    def texts(self) -> list[str]:
        """The notice of every SMS: it is named in the address at which the API says what became of it."""
        return [one.fields["StatusCallback"].split("/")[-2] for one in list(self.phones.taken)]


@dataclass(repr=False)
class WiredGround(Ground):
    """A running system with a proxy on every connection; what ends by itself is started again with its proxies."""

    wires: list[Wire] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    _given: dict[str, dict[str, str]] = field(default_factory=dict)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def wire_all(self) -> None:
        """Every process is started anew, and reaches nobody but through a proxy."""
        for part in self._parts():
            self._given[part.name] = self._wire(part)
        with ThreadPoolExecutor(len(self._given)) as pool:
            list(pool.map(self.stop_by_term, self._given))
        self.up()

    def up(self) -> None:
        """Every part runs and is ready."""
        self._start_what_ended()
        super().up()

    def _start_what_ended(self) -> list[str]:
        with self._turn:
            ended = [name for name in self._given if not self.is_alive(name)]
            for name in ended:
                self.spawn(name)
        return ended

    def spawn(self, name: str, argv: Any = (), **extra: str) -> Child:
        """Starts the part behind its proxies, which is how it is meant to run here."""
        child = super().spawn(name, argv, **self._given.get(name, {}), **extra)
        if not argv and not extra:
            self.odd.discard(name)
        return child

    def between(self, far: str = "", near: str = "") -> list[Wire]:
        """The wires that end and begin there."""
        return [wire for wire in self.wires if far in ("", wire.far) and near in ("", wire.near)]

    def seen_by_callers(self) -> Running:
        """The system as it looks from outside, behind the proxies at its doors."""
        known = self.running.known
        doors = {
            door: {name: self._through(CALLER, f"{name} {door}", at[name]) for name in SERVICES}
            for door, at in (("grpc", known.grpc), ("http", known.http))
        }
        seen = copy.copy(self.running)
        seen.known = replace(known, **doors)
        return seen

    @contextmanager
    def supervised(self) -> Iterator[None]:
        """Whatever ends by itself during the block is started again, as a supervisor does; `ended` names it."""
        is_over = threading.Event()

        def supervise() -> None:
            while not is_over.wait(1.0):
                self.ended += self._start_what_ended()

        thread = threading.Thread(target=supervise, daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join(30)

    def close(self) -> None:
        """Nobody stands between them any more."""
        for wire in self.wires:
            wire.proxy.close()

    def _parts(self) -> list[processes.Part]:
        known = processes.parts(self.running.place, self.running.known, {})
        return [part for part in known if part.name not in ("mail", "issuer")]

    def _wire(self, part: processes.Part) -> dict[str, str]:
        """What the process is told instead of everybody's own address."""
        own, env = self.folder / "wires" / part.name, part.env
        own.mkdir(parents=True, exist_ok=True)
        told: dict[str, str] = {}
        if uri_file := env.get("KINDRED_MONGO_URI_FILE"):
            told["KINDRED_MONGO_URI_FILE"] = self._other_uri(part.name, DATABASE, Path(uri_file), own)
        uri_file = env.get("KINDRED_AMQP_URI_FILE", "")
        if uri_file and access.NO_BROKER not in Path(uri_file).read_text(encoding="utf-8"):
            told["KINDRED_AMQP_URI_FILE"] = self._other_uri(part.name, BROKER, Path(uri_file), own)
        if part.name == "notifications-worker":
            sms = self._through(part.name, SMS, self.running.phones.url)
            told |= sms_account(sms, "https://notices.kindred.example.org")
            told["KINDRED_SMTP_PORT"] = self._through(part.name, MAIL, self.running.known.smtp).rpartition(
                ":"
            )[2]
        if part.name.startswith("audit-") and "KINDRED_AUDIT_SIGNER_URL" in env:
            told["KINDRED_AUDIT_SIGNER_URL"] = self._through(
                part.name, SIGNER, env["KINDRED_AUDIT_SIGNER_URL"]
            )
            told["KINDRED_KEYS_DIR"] = self._other_policy(part.name, Path(env["KINDRED_KEYS_DIR"]), own)
        return told

    def _other_uri(self, near: str, far: str, given: Path, own: Path) -> str:
        """A file with the address of the proxy; of a replica set, its one member is asked for nobody else."""
        uri = self._through(near, far, given.read_text(encoding="utf-8").strip())
        head, _, query = uri.partition("?")
        options = [one for one in query.split("&") if one and not one.startswith("replicaSet=")]
        if far == DATABASE:
            uri = f"{head}?{'&'.join([*options, 'directConnection=true'])}"
        access.give(own, given.name, uri)
        return str(own / given.name)

    def _other_policy(self, near: str, keys: Path, own: Path) -> str:
        """The keys of the log, with the witness behind a proxy."""
        copied = own / "keys"
        shutil.copytree(keys, copied)
        address = self.running.known.witness_http
        text = (copied / policy.NAME).read_text(encoding="utf-8")
        assert address in text
        (copied / policy.NAME).write_text(text.replace(address, self._through(near, WITNESS, address)))
        return str(copied)

    def _through(self, near: str, far: str, address: str) -> str:
        """The address, with the port of a proxy of its own in place of the real one."""
        host, _, rest = address.partition("127.0.0.1:")
        port = rest.partition("/")[0]
        proxy = FaultProxy(int(port), delay_s=SLOW_S)
        self.wires.append(Wire(near, far, proxy))
        return f"{host}127.0.0.1:{proxy.port}{rest[len(port) :]}"

    def intake_for(self, service: str) -> tuple[str, tls.Files | None]:
        """Where a page of that service asks intake, behind a proxy of its own, and the certificate it shows."""
        env = next(part.env for part in self._parts() if part.name == f"{service}-api")
        named = tls.files(env["KINDRED_GRPC_TLS_CERT"], env["KINDRED_GRPC_TLS_CA"])
        return self._through(f"{service}-api", INTAKE, env["KINDRED_INTAKE_GRPC"]), named


def open_wired(folder: Path, specialists: int) -> WiredGround:
    """The system is up behind proxies; every third specialist is told by SMS."""
    running = WithPhones(Place(folder / "var"))
    running.phones.start()
    ground = WiredGround(running, folder)
    ground.up()
    ground.wire_all()
    ground.officer, ground.roster = Officer(running), Roster(running)
    names = [f"spec-{number:03}" for number in range(specialists)]
    patiently(lambda: ground.roster.load(roster_csv([a_supervisor(), *map(a_specialist, names)])))
    for number, name in enumerate(names[::3]):
        _wants_texts(running, name, f"+1518555{number:04}")
    return ground


def _wants_texts(running: Running, specialist_id: str, phone: str) -> None:
    """From here on whatever they are told comes by SMS."""
    client = Client(running, "notifications", running.token("specialist", specialist_id, "harbor"), "PATRQT")
    stub = notifications_pb2_grpc.NotificationsServiceStub(client.channel)
    wishes = notifications_pb2.Wishes(phone=phone, channels=["sms"])
    change = notifications_pb2.ChangeContactRequest(
        person_id=specialist_id, wishes=wishes, fields=["phone", "channels"]
    )
    patiently(lambda: client.call(stub.ChangeContact, change))
    client.channel.close()


def begin_wired(ground: WiredGround, fault_id: str, seen: Running) -> Cell:
    """A cell whose clients stand outside, behind the proxies at the doors."""
    cell = begin_cell(ground, fault_id)
    cell.clients = Clients(seen, Roster(seen), cell.journal, cell.clients.name, cell.chance)
    return cell


@contextmanager
def set_to(wires: Iterable[Wire], fault: Fault) -> Iterator[None]:
    """The fault lasts as long as the block."""
    chosen = list(wires)
    for wire in chosen:
        wire.proxy.set(fault)
    try:
        yield
    finally:
        for wire in chosen:
            wire.proxy.set(Fault.NONE)


def count_touched(wires: Iterable[Wire]) -> int:
    """How often a fault met bytes on its way, or a connection that began."""
    return sum(wire.proxy.touched for wire in wires)


def count_torn(wires: Iterable[Wire]) -> int:
    """How many connections were torn."""
    return sum(wire.proxy.torn for wire in wires)


def cut_in_turn(cell: Cell, wires: list[Wire], fault: Fault, each_s: float) -> None:
    """Each wire by itself, one after the other, in an order by the seed."""
    for wire in cell.chance.sample(wires, len(wires)):
        with set_to([wire], fault):
            cell.broke(str(wire), f"{fault.value} {each_s:.0f} s")
            time.sleep(each_s)


def break_all(cell: Cell, wires: list[Wire], fault: Fault, seconds: float) -> None:
    """All of them at once."""
    with set_to(wires, fault):
        for wire in wires:
            cell.broke(str(wire), f"{fault.value} {seconds:.0f} s with the others")
        time.sleep(seconds)
