"""The messages of CoordinationService on one side, the domain on the other; pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chassis.errors import Fault, Kind, Refusal
from chassis.spelling import stamp
from kindred.matching.v1 import coordination_pb2 as pb
from kindred.matching.v1 import matching_pb2
from services.matching import codec, places, tongues, wording
from services.matching.backlog import LeftOver, Plan, Planned
from services.matching.domain.case import CLAIM
from services.matching.domain.ladders import ProgrammeLadder, Steps
from services.matching.domain.need import Need
from services.matching.domain.rank import Candidate
from services.matching.domain.taking import Taking
from services.matching.handlers import ByHand, Capacity, Carried, Move, NewLadder, Rematch, Step, Waiting

_URGENCIES = ("immediate", "urgent", "routine")
_MOST_MINUTES = 24 * 60


def needed(**fields: str) -> None:
    """Raises Refusal INVALID request-incomplete, naming every field that is missing or too long."""
    faults = codec.missing(**fields)
    if faults:
        raise Refusal("request-incomplete", Kind.INVALID, "The request is incomplete.", faults=faults)


def by_hand(request: pb.AssignByHandRequest) -> ByHand:
    """A supervisor's decision."""
    needed(
        referral_id=request.referral_id,
        specialist_id=request.specialist_id,
        idempotency_key=request.idempotency_key,
        modality=request.modality,
        reason_code=request.reason_code,
    )
    return ByHand(
        request.referral_id,
        request.specialist_id,
        request.idempotency_key,
        _promised(request),
        request.modality,
        request.reason_code,
        request.specialist_agreed,
    )


def claim(request: pb.ClaimReferralRequest) -> Taking:
    """What a specialist promises with their claim."""
    needed(
        referral_id=request.referral_id, idempotency_key=request.idempotency_key, modality=request.modality
    )
    return Taking(CLAIM, request.idempotency_key, _promised(request), request.modality)


def imagined(request: pb.QueryCapacityRequest) -> tuple[Need, int]:
    """A referral of the kind that is asked about, and the minutes until the person leaves (0: not known)."""
    urgency = request.urgency or _URGENCIES[0]
    place = places.find(request.facility_zip)
    faults = []
    if urgency not in _URGENCIES:
        faults.append(Fault("urgency", "unknown", "immediate, urgent or routine."))
    if place is None:
        faults.append(Fault("facility_zip", "unknown", "A five-digit ZIP of the United States."))
    if not 0 <= request.minutes_until_departure <= _MOST_MINUTES:
        faults.append(Fault("minutes_until_departure", "out-of-range", "0 to 1440."))
    if faults:
        raise Refusal("request-incomplete", Kind.INVALID, "The request cannot be answered.", faults=faults)
    languages = [tongues.primary(tag) for tag in request.languages]
    need = Need(
        referral_id="capacity",
        peer_id="",
        source_id="",
        urgency=urgency,
        languages=tuple(dict.fromkeys(tag for tag in languages if tag)),
        is_interpreter_agreed=request.interpreter_agreed,
        age_band=request.age_band or "unknown",
        payer=request.payer_code or "unknown",
        source_place=place,
    )
    return need, request.minutes_until_departure


def step(request: pb.ReportArrivalRequest) -> Step:
    """What the assigned specialist says of their way."""
    needed(referral_id=request.referral_id, idempotency_key=request.idempotency_key, step=request.step)
    promised = codec.moment(request, "promised_arrival_at")
    return Step(request.referral_id, request.idempotency_key, request.step, promised)


def rematch(request: pb.RequestRematchRequest) -> Rematch:
    """Whose wish, and why."""
    needed(
        referral_id=request.referral_id,
        idempotency_key=request.idempotency_key,
        side=request.side,
        reason_code=request.reason_code,
    )
    return Rematch(request.referral_id, request.idempotency_key, request.side, request.reason_code)


def move(request: pb.ProposeMoveRequest) -> Move:
    """Who is to take which case over."""
    needed(
        referral_id=request.referral_id,
        idempotency_key=request.idempotency_key,
        reason_code=request.reason_code,
    )
    return Move(
        request.referral_id,
        request.idempotency_key,
        request.to_specialist_id,
        request.reason_code,
        request.peer_agreed,
    )


def new_ladder(request: pb.SetLadderRequest) -> NewLadder:
    """What a programme's ladder is to be; raises Refusal INVALID where an urgency is told twice."""
    needed(programme_id=request.programme_id)
    steps = {
        told.urgency: Steps(tuple(told.sizes), tuple(told.seconds), tuple(told.preference_milli))
        for told in request.ladders
    }
    if len(steps) != len(request.ladders):
        fault = Fault("ladders.urgency", "told-twice", "One ladder for each urgency.")
        raise Refusal("request-incomplete", Kind.INVALID, "The ladder is not clear.", faults=[fault])
    sources = tuple(dict.fromkeys(request.source_ids)) or None
    return NewLadder(request.programme_id, steps, sources, request.reason, request.expected_version)


def pool_entry(waiting: Waiting) -> pb.PoolEntry:
    """A referral of the open pool, with why it fits who asks."""
    case, best = waiting.case, waiting.candidate
    return pb.PoolEntry(
        referral_id=case.referral_id,
        urgency=case.need.urgency,
        opened_at=stamp(case.opened_at),
        expected_departure_at=stamp(case.need.expected_departure_at),
        ways=sorted(best.ways) if best else [],
        explanation=_explained(best) if best else None,
        exclusions=[] if best else codec.exclusions(case.exclusions),
    )


def capacity(found: Capacity) -> pb.QueryCapacityResponse:
    """The counts."""
    bands = [pb.BedsideWithin(minutes=minutes, specialists=count) for minutes, count in found.bedside]
    return pb.QueryCapacityResponse(
        bedside=bands, by_phone=found.by_phone, by_video=found.by_video, answered_at=stamp(found.at)
    )


def caseload_entry(carried: Carried) -> pb.CaseloadEntry:
    """One case somebody carries."""
    case = carried.case
    return pb.CaseloadEntry(
        referral_id=case.referral_id,
        state=case.state,
        urgency=case.need.urgency,
        promised_arrival_at=stamp(case.accepted_offer.promised_arrival_at),
        checkins=[codec.checkin(one) for one in case.checkins],
        taker_ids=carried.taker_ids,
        asked_taker_id=carried.asked_id,
    )


def plan(made: Plan) -> pb.PreviewBacklogResponse:
    """A joint plan with its trades, and what one after another would have come to."""
    return pb.PreviewBacklogResponse(
        plan_id=made.plan_id,
        matches=[_planned(one) for one in made.planned],
        left_over=[_left_over(one) for one in made.left_over],
        total_milli=made.total_milli,
        greedy_served=made.greedy_served,
        greedy_total_milli=made.greedy_total_milli,
        expires_at=stamp(made.expires_at),
        is_proven_best=made.is_proven,
        stable_served=made.stable_served,
        stable_total_milli=made.stable_total_milli,
        variant=made.variant,
    )


def ladder(found: ProgrammeLadder) -> pb.GetLadderResponse:
    """A programme's ladder with its history."""
    return pb.GetLadderResponse(
        programme_id=found.programme_id,
        version=found.version,
        ladders=[
            pb.LadderSteps(
                urgency=urgency,
                sizes=one.sizes,
                seconds=one.seconds,
                preference_milli=one.preference_milli,
            )
            for urgency, one in found.steps.items()
        ],
        source_ids=found.source_ids,
        changes=[
            pb.LadderChange(
                version=one.version,
                changed_at=stamp(one.changed_at),
                changed_by=one.changed_by,
                reason=one.reason,
            )
            for one in found.changes
        ],
    )


def _planned(one: Planned) -> pb.PlannedMatch:
    return pb.PlannedMatch(
        referral_id=one.case.referral_id,
        specialist_id=one.candidate.specialist_id,
        score_milli=one.candidate.score_milli,
        choice=one.trade.choice,
        so_that_referral_id=one.instead_of,
        so_that_is_served_at_all=one.trade.is_served_at_all,
        explanation=_explained(one.candidate),
    )


def _left_over(one: LeftOver) -> pb.LeftOver:
    return pb.LeftOver(
        referral_id=one.case.referral_id,
        reason_code=one.reason_code,
        exclusions=codec.exclusions(one.exclusions),
    )


def _explained(best: Candidate) -> matching_pb2.Explanation:
    terms = [
        matching_pb2.Term(code=one.code, points_milli=one.points_milli, text=wording.text(one, "en"))
        for one in best.terms
    ]
    return matching_pb2.Explanation(score_milli=best.score_milli, terms=terms)


def _promised(request: Any) -> datetime:
    promised = codec.moment(request, "promised_arrival_at")
    if promised is None:
        fault = Fault("promised_arrival_at", "missing", "Say when they come or ring.")
        raise Refusal("request-incomplete", Kind.INVALID, "The request is incomplete.", faults=[fault])
    return promised
