"""The people of the play: nurses who send, specialists who accept, decline or stay silent."""

import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

from cli.commands.referrals import faults, post_fhir, task_id
from cli.demo import answer_page, messages
from cli.demo.bundles import bundle
from cli.demo.people import Story
from cli.demo.post_office import PostOffice
from cli.reach import Reach, explained

ASK_EVERY_S = 0.25
# Nothing more happens to these in the play.
ENDS = {"assigned", "unfilled", "cancelled", "consent-revoked"}
RPC_S = 5.0

# Told what happens, as it happens: the story, and one line.
Tell = Callable[[Story, str], None]


@dataclass
class Played:
    """What was seen of one story, from outside."""

    story: Story
    sent_at: datetime
    http_status: int = 0
    referral_id: str = ""
    repeat_ids: list[str] = field(default_factory=list)
    refused_with: list[str] = field(default_factory=list)
    case: Any = None
    answered: set[str] = field(default_factory=set)
    accepted_as: str = ""
    late: list[str] = field(default_factory=list)
    task_status: str = ""
    stopped_at: datetime | None = None

    @property
    def outcome(self) -> str:
        """refused, assigned, unfilled, seeking, why it was stopped, or lost (acknowledged, matching knows no case)."""
        if self.http_status >= 400:
            return "refused"
        if self.case is None:
            return "lost"
        return str(self.case.stop_code) if self.case.state == "closed" else str(self.case.state)

    @property
    def offers(self) -> list[Any]:
        """Every offer of the case, in the order they were made."""
        return list(self.case.offers) if self.case is not None else []

    def seconds_to(self, moment: Any) -> float | None:
        """Seconds from sending the referral to a protobuf timestamp of the service."""
        if not moment.seconds:
            return None
        return (moment.ToDatetime(tzinfo=UTC) - self.sent_at).total_seconds()


class Cast:
    """Plays every story over the public APIs."""

    def __init__(self, reach: Reach, run: str, tell: Tell, mails: Path) -> None:
        self._reach = reach
        self._post_office = PostOffice(mails)
        self.run_mark = run
        self._tell = tell

    def send(self, story: Story) -> Played:
        """The ER sends the referral through its door; where the story says so, a second nurse sends it again."""
        played = Played(story, datetime.now(UTC))
        if story.door == "hl7v2":
            return self._send_message(played)
        sent = bundle(story, self.run_mark, played.sent_at)
        played.http_status, answer = self._post(story, sent, "nurse-one")
        played.referral_id = task_id(answer)
        played.refused_with = faults(answer) if played.http_status >= 400 else []
        if played.referral_id:
            self._tell(story, f"acknowledged as {played.referral_id}")
        else:
            self._tell(story, f"turned away, HTTP {played.http_status}: {'; '.join(played.refused_with)}")
        if story.is_sent_twice:
            again = sent | {"timestamp": "2026-01-01T00:00:00Z"}
            for body in (sent, again):
                played.repeat_ids.append(task_id(self._post(story, body, "nurse-two")[1]))
            self._tell(
                story, f"sent again by another nurse, told {' and '.join(sorted(set(played.repeat_ids)))}"
            )
        return played

    def _send_message(self, played: Played) -> Played:
        """REF^I12 over MLLP; where the consent is late, it is held, and a REF^I13 brings the consent."""
        story = played.story
        told = self._message(played, "I12", has_consent=not story.is_consent_late)
        found = re.search(r"ref-[0-9a-f]{32}", told["answer"])
        played.http_status = 200 if told["code"] == "AA" else 400
        if told["code"] != "AA" or not found:
            played.refused_with = [told["answer"].replace("\r", " ")]
            self._tell(story, f"turned away, {told['code']}")
            return played
        played.referral_id = found[0]
        self._tell(story, f"acknowledged over HL7 v2 ({told['code']}) as {played.referral_id}")
        if story.is_consent_late:
            self._tell(story, "held: the consent is still to come")
            told = self._message(played, "I13")
            self._tell(story, f"the consent came in a REF^I13 ({told['code']}): specialists are sought now")
        return played

    def _message(self, played: Played, event: str, *, has_consent: bool = True) -> dict[str, str]:
        known = self._reach.known
        assert known is not None
        now = datetime.now(UTC)
        message = messages.referral(played.story, self.run_mark, now, event, has_consent=has_consent)
        return messages.send(known.mllp, message)

    def play(self, everybody: list[Played], within_s: float) -> None:
        """Specialists answer until every acknowledged referral is assigned, unfilled or over, or the time is up."""
        deadline = time.monotonic() + within_s
        open_ones = [played for played in everybody if played.referral_id]
        with ThreadPoolExecutor(8) as pool:
            while open_ones and time.monotonic() < deadline:
                began = time.monotonic()
                list(pool.map(self._look, open_ones))
                open_ones = [one for one in open_ones if one.outcome not in ENDS]
                time.sleep(max(0.0, ASK_EVERY_S - (time.monotonic() - began)))

    def refresh(self, everybody: list[Played]) -> None:
        """Every case is as matching sees it now."""
        for played in everybody:
            played.case = self._case(played.referral_id) or played.case

    def read_task(self, played: Played) -> str:
        """The Task as the source sees it: its business status, else its status; audited before it is answered."""
        import urllib.request

        request = urllib.request.Request(
            f"http://{self._reach.http_address('intake')}/fhir/Task/{played.referral_id}",
            headers=self._nurse(played.story, "nurse-one"),
        )
        with urllib.request.urlopen(request, timeout=RPC_S) as answer:  # noqa: S310  our own address
            task = json.loads(answer.read())
        played.task_status = str(task.get("status", ""))
        return played.task_status

    def _look(self, played: Played) -> None:
        case = self._case(played.referral_id)
        if case is None:
            return
        known = {offer.offer_id for offer in played.offers}
        before = played.outcome
        played.case = case
        new = [offer for offer in case.offers if offer.offer_id not in known]
        if new:
            seconds = played.seconds_to(new[0].made_at)
            names = ", ".join(offer.specialist_id for offer in new)
            self._tell(played.story, f"wave {new[0].wave}: offered to {names} after {seconds:.2f} s")
        if case.state == "unfilled" != before:
            self._tell(played.story, "nobody said yes in time: unfilled, with the supervisor")
        self._answer(played, [offer for offer in case.offers if offer.state == "open"])

    def _answer(self, played: Played, offers: list[Any]) -> None:
        waiting = [offer for offer in offers if offer.offer_id not in played.answered]
        if not waiting or played.accepted_as or played.story.answer in {"silent", "nobody"}:
            return
        if played.story.answer in {"cancelled", "revoked"}:
            self._take_back(played)
            return
        if played.story.answer == "second-wave":
            waiting = [offer for offer in waiting if offer.wave > 1]
        links = self._post_office.links(self._reach, played.referral_id)
        told = [(offer, links[offer.specialist_id]) for offer in waiting if offer.specialist_id in links]
        if played.story.answer == "race":
            if len(told) == len(waiting) > 1:
                with ThreadPoolExecutor(len(told)) as pool:
                    list(pool.map(lambda one: self._accept(played, *one), told))
        elif told and played.story.answer == "decline-first" and not played.answered:
            self._decline(played, told[0][0])
        elif told and played.story.answer == "decline-first":
            self._accept(played, *told[0])
        elif told:
            self._accept_by_link(played, *told[0])

    def _take_back(self, played: Played) -> None:
        """While offers are out the ER takes the referral back, or the person their consent; once."""
        if played.stopped_at is not None:
            return
        played.stopped_at = datetime.now(UTC)
        if played.story.answer == "cancelled":
            told = self._message(played, "I14")
            self._tell(played.story, f"taken back by the ER with a REF^I14 ({told['code']})")
            return
        from kindred.intake.v1 import intake_pb2

        who = self._reach.metadata("nurse", "nurse-one", played.story.hospital.source_id, purpose="TREAT")
        asked = intake_pb2.RevokeConsentRequest(referral_id=played.referral_id)
        self._reach.intake().RevokeConsent(asked, timeout=RPC_S, metadata=who)
        self._tell(played.story, "the person took their consent back")

    def _accept_by_link(self, played: Played, offer: Any, link: str) -> None:
        """The specialist opens the page of their e-mail and says yes there."""
        played.answered.add(offer.offer_id)
        shown = answer_page.ways(link)
        status = answer_page.accept(link, shown[0], minutes=20) if shown else HTTPStatus.NOT_FOUND
        if status == HTTPStatus.OK:
            self._accepted(played, offer, "on the page behind their e-mail's link")
        else:
            played.late.append(f"HTTP {status}")
            self._tell(played.story, f"{offer.specialist_id} was too late, HTTP {status}")

    def _accept(self, played: Played, offer: Any, link: str) -> None:
        """The specialist says yes over gRPC."""
        from kindred.matching.v1 import matching_pb2

        asked = matching_pb2.AcceptOfferRequest(
            offer_id=offer.offer_id,
            idempotency_key=f"demo-{offer.offer_id}",
            modality=next(iter(answer_page.ways(link)), "phone"),
        )
        asked.promised_arrival_at.FromDatetime(datetime.now(UTC) + timedelta(minutes=20))
        if self._say(played, offer, "AcceptOffer", asked):
            self._accepted(played, offer, "over gRPC")

    def _accepted(self, played: Played, offer: Any, how: str) -> None:
        played.accepted_as = offer.specialist_id
        seconds = (datetime.now(UTC) - played.sent_at).total_seconds()
        self._tell(played.story, f"{offer.specialist_id} accepted {how} after {seconds:.2f} s")

    def _decline(self, played: Played, offer: Any) -> None:
        from kindred.matching.v1 import matching_pb2

        asked = matching_pb2.DeclineOfferRequest(
            offer_id=offer.offer_id, idempotency_key=f"demo-{offer.offer_id}", reason_code="busy"
        )
        if self._say(played, offer, "DeclineOffer", asked):
            self._tell(played.story, f"{offer.specialist_id} declined; it costs them nothing")

    def _say(self, played: Played, offer: Any, method: str, asked: Any) -> bool:
        import grpc

        played.answered.add(offer.offer_id)
        who = self._reach.metadata("specialist", offer.specialist_id, offer.programme_id, purpose="COC")
        try:
            getattr(self._reach.matching(), method)(asked, timeout=RPC_S, metadata=who)
        except grpc.RpcError as refused:
            code = explained(refused)[0]
            played.late.append(code)
            self._tell(played.story, f"{offer.specialist_id} was told: {code}")
            return False
        return True

    def _case(self, referral_id: str) -> Any:
        import grpc

        from kindred.matching.v1 import matching_pb2

        try:
            return self._reach.matching().GetCase(
                matching_pb2.GetCaseRequest(referral_id=referral_id),
                timeout=RPC_S,
                metadata=self._reach.metadata("system", "demo-director", purpose="COC"),
            )
        except grpc.RpcError as failed:
            if failed.code() in {
                grpc.StatusCode.NOT_FOUND,
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.DEADLINE_EXCEEDED,
            }:
                return None
            raise

    def _post(self, story: Story, sent: Any, nurse: str) -> tuple[int, Any]:
        status, answer = post_fhir(
            self._reach, json.dumps(sent).encode(), actor=nurse, organization=story.hospital.source_id
        )
        return status, answer

    def _nurse(self, story: Story, nurse: str) -> dict[str, str]:
        token = self._reach.token("nurse", nurse, story.hospital.source_id)
        return {
            "Authorization": f"Bearer {token}",
            "X-Purpose-Of-Use": "TREAT",
            "Accept": "application/fhir+json",
        }
