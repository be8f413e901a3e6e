"""Reading what is posted to the development issuer."""

from urllib.parse import parse_qsl

from starlette.requests import Request

_MOST_BYTES = 65_536


async def form(request: Request) -> dict[str, str]:
    """The posted fields; none of a body that is too large."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST_BYTES:
            return {}
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=50))
    except ValueError:
        return {}
