"""What intake refuses, by name."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.errors import Fault, Kind, Refusal


class SubmissionRejected(Refusal):
    """A submission with faults; told all at once, and nothing of it is kept."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        codes = {fault.code for fault in faults}
        code = codes.pop() if len(codes) == 1 else "submission-invalid"
        super().__init__(code, Kind.INVALID, "The submission has faults.", faults=faults)


class IdempotencyKeyReused(Refusal):
    """The same key or Bundle.identifier came with another content."""

    def __init__(self) -> None:
        super().__init__(
            "idempotency-key-reused",
            Kind.CONFLICT,
            "This key was used for another submission; a correction needs a key of its own.",
        )


class ReferralUnknown(Refusal):
    """No referral of the caller's has this id; whether another's has it is nobody else's to know."""

    def __init__(self) -> None:
        super().__init__("referral-unknown", Kind.NOT_FOUND, "There is no such referral.")


class RoleMayNotMove(Refusal):
    """The role may not give this command."""

    def __init__(self, command: str) -> None:
        super().__init__("role-not-allowed", Kind.FORBIDDEN, f"This role may not {command}.", command=command)


class ReferralAlreadyClosed(Refusal):
    """The referral has ended."""

    def __init__(self, state: str) -> None:
        super().__init__("referral-already-closed", Kind.CONFLICT, state=state)


class MoveNotPossible(Refusal):
    """The command does not lead anywhere from this state."""

    def __init__(self, state: str, command: str) -> None:
        super().__init__("move-not-possible", Kind.CONFLICT, state=state, command=command)


class ReferralAlreadyAssigned(Refusal):
    """Another offer of this referral was accepted."""

    def __init__(self) -> None:
        super().__init__("referral-already-assigned", Kind.CONFLICT)


class NotHeardOfYet(Refusal):
    """What matching said before this has not arrived: it is tried again, in the order that it was said in."""

    def __init__(self) -> None:
        super().__init__("earlier-event-missing", Kind.TOO_EARLY)


class GlassNeeded(Refusal):
    """The source labelled it very restricted: whoever opens it breaks the glass; the denial is in the trail already."""

    is_on_record = True

    def __init__(self) -> None:
        message = "This referral is very restricted; only who breaks the glass reads it."
        super().__init__("glass-needed", Kind.FORBIDDEN, message)


class DisclosureDenied(Refusal):
    """Nobody may be told, for the reason that is its code; the denial is in the trail with the referral's id."""

    is_on_record = True

    def __init__(self, code: str) -> None:
        super().__init__(code, Kind.FORBIDDEN, "This may not be disclosed to you.")
