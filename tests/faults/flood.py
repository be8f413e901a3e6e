"""A crowd of hospitals that does not wait for answers: one process, its own journal, at a rate, over gRPC and FHIR.

python -m tests.faults.flood < the plan as JSON (`Plan`).  Each call is two lines of the journal: tried, and how it ended
with the milliseconds it took.  Whatever is refused is not tried again: the next call is another visit.  What is sent is
made before the first call leaves, and nothing is read of an answer but what is needed: the crowd shares the machine
with what it presses upon.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import grpc

from kindred.intake.v1 import events_pb2, intake_pb2
from tests.bench import strangers
from tests.faults.journal import REFUSED, SUBMIT, TOLD, TRIED, UNKNOWN, Journal

_CHANNELS = 4
_DEADLINE_S = 5.0
_SUBMIT = "/kindred.intake.v1.IntakeService/SubmitReferral"
_URGENCIES = {"immediate": events_pb2.URGENCY_IMMEDIATE, "routine": events_pb2.URGENCY_ROUTINE}
_PRIORITIES = {"immediate": "stat", "routine": "routine"}
_TASK = re.compile(rb"Task/(ref-[0-9a-f]+)")
TOO_MUCH = ("RESOURCE_EXHAUSTED", "429", "503")
Lines = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Plan:
    """Who calls what, how often, for how long; `tokens` are by organization."""

    grpc: str
    http: str  # host:port
    keys: str
    tokens: dict[str, str]
    name: str
    journal: str
    rate: float
    seconds: float
    fhir_share: float = 0.0
    immediate_share: float = 0.2


@dataclass(frozen=True, slots=True)
class Call:
    """One visit to submit: what the journal says of it, for whom, and its bytes."""

    facts: dict[str, str]
    source: str
    body: bytes


def made(plan: Plan) -> Iterator[Call]:
    """Every call of the plan, in order; the same ones for the same plan."""
    chance = random.Random(plan.name)
    for number in range(int(plan.rate * plan.seconds)):
        name, source = f"{plan.name}-{number}", chance.choice(sorted(plan.tokens))
        urgency = "immediate" if chance.random() < plan.immediate_share else "routine"
        if chance.random() < plan.fhir_share:
            door, body = "fhir", _posted(plan, source, name, urgency)
        else:
            request = strangers.referral(name)
            request.urgency = _URGENCIES[urgency]
            door, body = "grpc", request.SerializeToString()
        yield Call({"visit": f"V-{name}", "urgency": urgency, "door": door}, source, body)


def _posted(plan: Plan, source: str, name: str, urgency: str) -> bytes:
    """The whole HTTP request."""
    bundle = strangers.bundle(name)
    for entry in bundle["entry"]:
        if entry["resource"]["resourceType"] == "ServiceRequest":
            entry["resource"]["priority"] = _PRIORITIES[urgency]
    body = json.dumps(bundle).encode()
    head = (
        f"POST /fhir HTTP/1.1\r\nhost: {plan.http}\r\nauthorization: Bearer {plan.tokens[source]}\r\n"
        "x-purpose-of-use: TREAT\r\ncontent-type: application/fhir+json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Flood:
    """Calls that are on the way at the same time, as many as come to be."""

    def __init__(self, plan: Plan, calls: list[Call]) -> None:
        self.plan, self.calls = plan, calls
        self.journal = Journal(Path(plan.journal))
        folder = Path(plan.keys)
        own, trusted = ((folder / name).read_bytes() for name in ("tls.cli.pem", "tls.ca.pem"))
        credentials = grpc.ssl_channel_credentials(trusted, own, own)
        options = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
        channels = [grpc.aio.secure_channel(plan.grpc, credentials, options) for _ in range(_CHANNELS)]
        self.methods = [channel.unary_unary(_SUBMIT) for channel in channels]
        self.free: list[Lines] = []

    async def run(self) -> None:
        """Every call was begun at its moment, or as soon after it as this process came to it, and has ended."""
        begun, running = time.monotonic(), set()
        for number, call in enumerate(self.calls):
            wait_s = begun + number / self.plan.rate - time.monotonic()
            if wait_s > 0 or number % 16 == 0:
                await asyncio.sleep(max(0.0, wait_s))
            task = asyncio.create_task(self._one(number, call))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)
        self.journal.close()

    async def _one(self, number: int, call: Call) -> None:
        self.journal.write(SUBMIT, TRIED, **call.facts)
        begun = time.monotonic()
        if call.facts["door"] == "grpc":
            outcome, told = await self._by_grpc(number, call)
        else:
            outcome, told = await self._by_fhir(call)
        took = f"{(time.monotonic() - begun) * 1e3:.1f}"
        self.journal.write(SUBMIT, outcome, **call.facts, **told, took_ms=took)

    async def _by_grpc(self, number: int, call: Call) -> tuple[str, dict[str, str]]:
        sent = [("authorization", f"Bearer {self.plan.tokens[call.source]}"), ("x-purpose-of-use", "TREAT")]
        try:
            raw = await self.methods[number % _CHANNELS](call.body, timeout=_DEADLINE_S, metadata=sent)
        except grpc.aio.AioRpcError as error:
            code = error.code().name
            return REFUSED if code in TOO_MUCH else UNKNOWN, {"code": code}
        answer = intake_pb2.SubmitReferralResponse.FromString(raw)
        return TOLD, {"code": "OK", "referral": answer.referral_id}

    async def _by_fhir(self, call: Call) -> tuple[str, dict[str, str]]:
        try:
            async with asyncio.timeout(_DEADLINE_S):
                status, again_s, body = await self._post(call.body)
        except (OSError, EOFError, TimeoutError) as error:
            return UNKNOWN, {"code": type(error).__name__}
        if status in ("200", "201"):
            return TOLD, {"code": status, "referral": _TASK.findall(body)[0].decode()}
        return REFUSED if status in TOO_MUCH else UNKNOWN, {"code": status, "again_s": again_s}

    async def _post(self, sent: bytes) -> tuple[str, str, bytes]:
        """Status, Retry-After and body, over a connection that is free or a new one."""
        host, _, port = self.plan.http.rpartition(":")
        reader, writer = self.free.pop() if self.free else await asyncio.open_connection(host, int(port))
        is_kept = False
        try:
            writer.write(sent)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            fields = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
            body = await reader.readexactly(int(fields.get("content-length", 0)))
            is_kept = fields.get("connection") != "close"
            return head[0].split()[1], fields.get("retry-after", ""), body
        finally:
            if is_kept:
                self.free.append((reader, writer))
            else:
                with suppress(OSError):
                    writer.close()


def main() -> None:
    """Reads the plan, makes its calls, says so, and begins when a line comes."""
    plan = Plan(**json.loads(sys.stdin.readline()))
    calls = list(made(plan))
    print("ready", flush=True)
    sys.stdin.readline()

    async def flood() -> None:
        await Flood(plan, calls).run()  # its channels belong to the loop that runs

    asyncio.run(flood())


if __name__ == "__main__":
    main()
