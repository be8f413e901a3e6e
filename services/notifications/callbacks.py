"""What far sides post to us: receipts and replies of the SMS account, and mails that came back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chassis.errors import Kind, Refusal
from chassis.identity import current_caller, require
from services.notifications import handlers
from services.notifications.bootstrap import Room
from services.notifications.channels import bounces, replies

_MOST_FIELDS = 100
_LONGEST_REPLY = 2_000
_MAY_RETURN_MAIL = ("system", "engineer")


def routes(room: Room) -> list[BaseRoute]:
    """The SMS account's callbacks, where there is one, and where a mail server hands over what came back."""
    found: list[tuple[str, Callable[[Room, Request], Response]]] = [("/mail/returned", mail_returned)]
    if room.settings.sms_url:
        found += [("/sms/status/{notice_id}/{attempt:int}", sms_status), ("/sms/inbound", sms_inbound)]
    return [Route(path, partial(_answer, room, answer), methods=["POST"]) for path, answer in found]


def sms_status(room: Room, request: Request) -> Response:
    """POST: what became of one attempt."""
    fields = dict(_signed(room, request))
    notice_id, attempt = request.path_params["notice_id"], request.path_params["attempt"]
    handlers.sms_receipt(
        room, notice_id, attempt, fields.get("MessageStatus", ""), fields.get("ErrorCode", "")
    )
    return Response(status_code=204)


def sms_inbound(room: Room, request: Request) -> Response:
    """POST: somebody answered; heeded before it is answered."""
    fields = dict(_signed(room, request))
    words = fields.get("Body", "")[:_LONGEST_REPLY]
    answer = handlers.heard_back(room, fields.get("From", ""), words)
    return Response(replies.twiml(answer), media_type="text/xml")


def mail_returned(room: Room, request: Request) -> Response:
    """POST message/rfc822 by the mail server: 204, also for a mail that tells of no notice of ours."""
    require(current_caller(), *_MAY_RETURN_MAIL)
    bounce = bounces.read(request.state.body)
    if bounce is not None:
        handlers.mail_came_back(room, bounce)
    return Response(status_code=204)


def _signed(room: Room, request: Request) -> list[tuple[str, str]]:
    """The fields of a post that the account signed; raises Refusal UNAUTHENTICATED for any other."""
    try:
        text = request.state.body.decode()
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise Refusal("form-unreadable", Kind.INVALID, "The form cannot be read.") from None
    url = f"{room.settings.notices_url.rstrip('/')}{request.url.path}"
    given = request.headers.get("x-twilio-signature", "")
    if not replies.is_signed(room.settings.sms_token, url, fields, given):
        raise Refusal("signature-wrong", Kind.UNAUTHENTICATED, "The signature does not fit.")
    return fields


def _answer(room: Room, answer: Callable[[Room, Request], Response], request: Request) -> Response:
    return answer(room, request)
