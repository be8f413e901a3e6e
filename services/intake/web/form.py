"""The form: a new referral or a correction, saved while it is typed, sent once however often it is clicked."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from chassis import telemetry
from chassis.errors import Fault, Kind, Refusal
from services.intake import handlers
from services.intake.domain.errors import IdempotencyKeyReused, SubmissionRejected
from services.intake.domain.submission import faults_of
from services.intake.doorway import rejections_audited
from services.intake.store.drafts import REMEMBERED
from services.intake.store.sessions import Session
from services.intake.web import choices, consent_form, filling_form, glass, pages, reading_form, worklist
from services.intake.web.desk import Desk, SignInNeeded
from services.intake.web.signing_in import keep_language
from services.intake.web.words import WORDS, reader_of

NEW = f"{pages.HOME}/new"
DRAFTS = f"{pages.HOME}/drafts"
_KEY = re.compile(r"[A-Za-z0-9_-]{20,64}")
_SENT_BEFORE = "form_sent_before"
_OWN = ("ref_name", "ref_phone", "ref_email", "unit")
_CONTROLS = frozenset({"key", "about", "revision", "next", "language_of_page"})


@dataclass(frozen=True)
class Sheet:
    """The form as it is shown: `about` is the referral it corrects, `told` a word on top of it."""

    key: str
    fields: Mapping[str, str]
    about: str = ""
    revision: str = ""
    faults: Sequence[Fault] = field(default=())
    told: str = ""


def routes(desk: Desk) -> list[Route]:
    """The form's paths."""
    correct_path = f"{pages.HOME}/referrals/{{id}}/correct"
    return [
        desk.route(NEW, show_new),
        desk.route(NEW, send, method="POST", keeps_typed=True),
        desk.route(correct_path, show_correction),
        desk.route(correct_path, send, method="POST", keeps_typed=True),
        desk.route(f"{DRAFTS}/{{key}}", show_draft),
        desk.route(DRAFTS, save_draft, method="POST"),
        desk.route(f"{DRAFTS}/discard", discard, method="POST"),
        desk.route(f"{pages.HOME}/form/language", change_language, method="POST", keeps_typed=True),
    ]


def show_new(desk: Desk, request: Request) -> Response:
    """GET: an empty form, with what this person types of themselves every time."""
    session = desk.signed_in(request)
    remembered = desk.room.drafts.open(session.caller, REMEMBERED)
    hospital = desk.hospital_of(session)
    fields = filling_form.new_fields(remembered.fields if remembered else {}, hospital)
    return _page(desk, request, session, Sheet(secrets.token_urlsafe(18), fields))


def show_correction(desk: Desk, request: Request) -> Response:
    """GET: the form as the referral says it; the read is in the audit trail first.

    Who came back to a form that was sent is told so.
    """
    session, about = desk.signed_in(request), request.path_params["id"]
    cause, caller = telemetry.current_cause(), glass.reader(session, glass.opened(desk, request))
    referral, kept = handlers.read_referral(desk.room, caller, about, "Referral", cause)
    fields = filling_form.fields_of(kept.submission, desk.hospital_of(session))
    told = _SENT_BEFORE if request.query_params.get("told") == _SENT_BEFORE else ""
    sheet = Sheet(secrets.token_urlsafe(18), fields, about, str(referral.revision), told=told)
    return _page(desk, request, session, sheet)


def show_draft(desk: Desk, request: Request) -> Response:
    """GET: a form as far as this person typed it; one that was sent (the Back button) as the referral's correction."""
    session, key = desk.signed_in(request), request.path_params["key"]
    draft = desk.room.drafts.open(session.caller, key)
    if draft is None:
        about = desk.room.drafts.sent_as(session.caller, key)
        if not about:
            raise Refusal("draft-gone", Kind.NOT_FOUND)
        return RedirectResponse(f"{pages.HOME}/referrals/{about}/correct?told={_SENT_BEFORE}", 303)
    fields = dict(draft.fields)
    sheet = Sheet(key, fields, draft.about, fields.get("revision", ""), told="draft_back")
    return _page(desk, request, session, sheet)


def save_draft(desk: Desk, request: Request) -> Response:
    """POST: the form is kept as typed so far; 204."""
    session = desk.signed_in(request)
    _keep(desk, request, session)
    return Response(status_code=204)


def discard(desk: Desk, request: Request) -> Response:
    """POST: what was typed is thrown away."""
    session = desk.signed_in(request)
    desk.room.drafts.close(session.caller, _key(request))
    return RedirectResponse(pages.HOME, 303)


def change_language(desk: Desk, request: Request) -> Response:
    """POST: the same form in the other language, with everything in it."""
    session = desk.signed_in(request)
    key = _keep(desk, request, session)
    response = RedirectResponse(f"{DRAFTS}/{key}", 303)
    request.state.fields["language"] = request.state.fields.get("language_of_page", "")
    keep_language(request, response)
    return response


def send(desk: Desk, request: Request) -> Response:
    """POST: a referral, or its correction; with faults the form comes back as it was typed.

    Where the session is over, what was typed is kept for whoever typed it, and is there after the sign-in.
    """
    try:
        session = desk.signed_in(request)
    except SignInNeeded:
        former = desk.former(request)
        if former is None:
            raise
        return desk.to_sign_in(request, f"{DRAFTS}/{_keep(desk, request, former)}")
    if request.state.is_stale:
        return _page(desk, request, session, _sheet(request, told="form_stale"), 409)
    try:
        return _sent(desk, request, session)
    except SubmissionRejected as rejected:
        return _page(desk, request, session, _sheet(request, faults=rejected.faults), 400)
    except IdempotencyKeyReused as reused:
        return _sent_before(desk, request, session, reused)


def _sent_before(desk: Desk, request: Request, session: Session, reused: IdempotencyKeyReused) -> Response:
    """Somebody went back and changed a form that was sent: it comes back as a correction, with all they typed."""
    about = desk.room.drafts.sent_as(session.caller, _key(request))
    if not about:
        raise reused
    cause = telemetry.current_cause()
    referral, kept = handlers.read_referral(desk.room, session.caller, about, "Referral", cause)
    fields = dict(request.state.fields)
    if fields.get("consent") == "yes" and kept.submission.consent is not None:
        fields["consent"] = consent_form.KEEP  # they were asked once
    key, revision = secrets.token_urlsafe(18), str(referral.revision)
    sheet = Sheet(key, fields, about, revision, told=_SENT_BEFORE)
    return _page(desk, request, session, sheet, 409)


def _sent(desk: Desk, request: Request, session: Session) -> Response:
    room, caller, cause = desk.room, session.caller, telemetry.current_cause()
    about, fields = request.path_params.get("id", ""), request.state.fields
    looking = glass.reader(session, glass.opened(desk, request)) if about else caller
    referral, kept = (
        handlers.read_referral(room, looking, about, "Referral", cause) if about else (None, None)
    )
    if referral is not None and fields.get("revision", "") != str(referral.revision):
        sheet = _sheet(request, told="form_overtaken", revision=str(referral.revision))
        return _page(desk, request, session, sheet, 409)
    now, hospital = room.clock.now(), desk.hospital_of(session)
    known = kept.submission if kept else None
    first_sent = room.drafts.first_sent(caller, _key(request))
    submission, faults = reading_form.read(
        fields, hospital, reader_of(request), now, known=known, first_sent=first_sent
    )
    with rejections_audited(room, caller, "desk"):
        if faults:
            found = faults_of(submission, now, room.taxonomy.codes, *room.settings.consent_rules)
            raise SubmissionRejected(reading_form.merged(faults, found, is_known=known is not None))
        if about:
            handlers.correct(room, caller, about, submission, cause=cause)
            told = "corrected"
        else:
            submitted = handlers.submit(room, caller, submission, cause)
            about, told = submitted.referral.referral_id, "known" if submitted.was_known else "sent"
    room.drafts.close(caller, _key(request), about)
    room.drafts.keep(caller, REMEMBERED, "", {name: fields[name] for name in _OWN if fields.get(name)})
    return RedirectResponse(f"{pages.HOME}/referrals/{about}?told={told}", 303)


def _key(request: Request) -> str:
    key: str = request.state.fields.get("key", "")
    if not _KEY.fullmatch(key):
        raise Refusal("form-key-unreadable", Kind.INVALID, "The form has no key.")
    return key


def _keep(desk: Desk, request: Request, session: Session) -> str:
    """What was typed is sealed for this person; returns the form's key."""
    key, fields = _key(request), request.state.fields
    typed = {name: text for name, text in fields.items() if text and name not in _CONTROLS - {"revision"}}
    about = request.path_params.get("id", "") or fields.get("about", "")
    desk.room.drafts.keep(session.caller, key, about, typed)
    return key


def _sheet(request: Request, *, faults: Sequence[Fault] = (), told: str = "", revision: str = "") -> Sheet:
    fields = request.state.fields
    about = request.path_params.get("id", "")
    return Sheet(_key(request), fields, about, revision or fields.get("revision", ""), faults, told)


def _page(desk: Desk, request: Request, session: Session, sheet: Sheet, status: int = 200) -> Response:
    reader, hospital = reader_of(request), desk.hospital_of(session)
    words, now = WORDS[reader], desk.room.clock.now()
    others = desk.room.drafts.unfinished(session.caller) if request.url.path == NEW else []
    unfinished = [one for one in others if one.key != sheet.key]
    faults = {one.path: words.get(f"fault_{one.code}", one.message) for one in sheet.faults}
    return desk.page(
        request,
        "form.html",
        session,
        status,
        sheet=sheet,
        action=f"{pages.HOME}/referrals/{sheet.about}/correct" if sheet.about else NEW,
        value=lambda name: sheet.fields.get(name, ""),
        faults=faults,
        fault=lambda name: faults.get(name, ""),
        drafts=worklist.drafts_told(unfinished, hospital, reader, now),
        choices=choices,
        consent_words={other: WORDS[other] for other in pages.READERS},
        keep=consent_form.KEEP,
        wish_rows=range(1, reading_form.WISH_ROWS + 1),
    )
