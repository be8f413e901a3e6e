"""Systems that may sign in at the FHIR door (SMART Backend Services): register, list, strike out, get a token."""

import json
import os
import re
import secrets
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import show
from cli.local import place
from cli.reach import Reach

app = typer.Typer(no_args_is_help=True)
ClientId = Annotated[str, typer.Argument(help="The client's id, such as mercy-ehr.")]
Scopes = Annotated[list[str], typer.Option("--scope", help='Such as "system/*.crus"; may be given again.')]
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_SCOPE = re.compile(r"system/([A-Z][A-Za-z]{1,63}|\*)\.(read|write|\*|(?=[cruds])c?r?u?d?s?)")
_MOST_S = 240
_TIMEOUT_S = 15


@app.command()
def add(
    context: typer.Context,
    client_id: ClientId,
    organization: Annotated[str, typer.Option(help="The hospital it sends for, such as er-mercy.")],
    scope: Scopes,
    jwks_url: Annotated[str, typer.Option(help="https address of its public keys.")] = "",
    jwks: Annotated[Path | None, typer.Option(help="A file with its public keys instead.")] = None,
    new_key: Annotated[Path | None, typer.Option(help="Make a key pair here, to try it by hand.")] = None,
    purpose: Annotated[str, typer.Option(help="HL7 PurposeOfUse where a request names none.")] = "TREAT",
    replace: Annotated[bool, typer.Option("--replace", help="Another registration of this id ends.")] = False,
) -> None:
    """Register a system; it can sign in at once, no restart is needed."""
    _check(scope, jwks_url, purpose)
    if not replace and any(one["client_id"] == client_id for one in _rows(context.obj)):
        raise show.fail(f"{client_id} is registered already.", "Give --replace to put this in its place.")
    if sum(map(bool, (jwks_url, jwks, new_key))) != 1:
        raise show.fail("Give one of --jwks-url, --jwks and --new-key.", code=2)
    row: dict[str, Any] = {"client_id": client_id, "organization": organization, "scopes": scope}
    row["purpose"] = purpose
    if jwks_url:
        row["jwks_url"] = jwks_url
    else:
        row["jwks"] = _read_keys(jwks) if jwks else _made_keys(new_key or Path())
    rows = [one for one in _rows(context.obj) if one["client_id"] != client_id]
    _write(context.obj, [*rows, row])
    print(f"{client_id} may sign in for {organization}.")


@app.command("list")
def list_clients(context: typer.Context, as_json: show.AsJson = False) -> None:
    """Who is registered."""
    rows = [
        {**one, "keys": one.get("jwks_url") or f"{len(one['jwks']['keys'])} in the registration"}
        for one in _rows(context.obj)
    ]
    show.rows(rows, ("client_id", "organization", "scopes", "purpose", "keys"), as_json=as_json)


@app.command()
def remove(context: typer.Context, client_id: ClientId) -> None:
    """Strike a system out: it gets no token any more, and the last one it got ends within five minutes."""
    rows = _rows(context.obj)
    left = [one for one in rows if one["client_id"] != client_id]
    if len(left) == len(rows):
        raise show.fail(f"{client_id} is not registered.")
    _write(context.obj, left)
    print(f"{client_id} is struck out.")


@app.command()
def token(
    context: typer.Context,
    client_id: ClientId,
    key: Annotated[Path, typer.Option(help="Its private key (JWK), as `client add --new-key` wrote it.")],
    scope: Scopes,
    as_json: show.AsJson = False,
) -> None:
    """Sign in as a system would, and print the access token."""
    import httpx

    base = f"http://{context.obj.http_address('intake')}"
    try:
        told = httpx.get(f"{base}/fhir/.well-known/smart-configuration", timeout=_TIMEOUT_S).json()
        form = {
            "grant_type": "client_credentials",
            "scope": " ".join(scope),
            "client_assertion_type": _ASSERTION,
            "client_assertion": _assertion(key, client_id, told["token_endpoint"]),
        }
        answer = httpx.post(f"{base}/auth/token", data=form, timeout=_TIMEOUT_S)
    except httpx.HTTPError:
        raise show.fail("Intake does not answer.") from None
    body = answer.json()
    if answer.status_code != 200:
        said = body.get("error_description") or body.get("message", "")
        raise show.fail(f"{body.get('error') or body.get('code', '')}: {said}")
    show.record(body, as_json=True) if as_json else print(body["access_token"])


def _check(scopes: list[str], jwks_url: str, purpose: str) -> None:
    """Fails where intake would leave the client out."""
    from chassis.identity import PURPOSES

    for scope in scopes:
        if not _SCOPE.fullmatch(scope):
            raise show.fail(
                f"{scope} is no scope of a system.", 'Such as "system/*.crus" or system/Task.rs.', code=2
            )
    if jwks_url and not jwks_url.startswith("https://"):
        raise show.fail("The address of the keys is an https URL.", code=2)
    if purpose not in PURPOSES:
        raise show.fail(f"{purpose} is no HL7 PurposeOfUse code.", ", ".join(sorted(PURPOSES)), code=2)


def _assertion(key: Path, client_id: str, audience: str) -> str:
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey

    try:
        private = ECKey.import_key(json.loads(key.read_text(encoding="utf-8")))
    except OSError:
        raise show.fail(f"{key} cannot be read.", code=2) from None
    except (ValueError, JoseError):
        raise show.fail(f"{key} holds no private key.", code=2) from None
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "exp": int(time.time()) + _MOST_S,
        "jti": secrets.token_urlsafe(16),
    }
    header = {"alg": "ES384", "kid": private.kid, "typ": "JWT"}
    return jwt.encode(header, claims, private, algorithms=["ES384"])


def _read_keys(path: Path) -> Any:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not found["keys"] or any("d" in one for one in found["keys"]):
            raise show.fail(f"{path} must hold public keys, and at least one.", code=2)
    except (OSError, ValueError, KeyError, TypeError):
        raise show.fail(f"{path} is no JSON Web Key Set.", code=2) from None
    return found


def _made_keys(path: Path) -> Any:
    from joserfc.jwk import ECKey

    key = ECKey.generate_key("P-384", parameters={"kid": secrets.token_hex(4), "use": "sig", "alg": "ES384"})
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(key.as_dict(private=True), file)
    except FileExistsError:
        raise show.fail(f"{path} is there already.", code=2) from None
    except OSError:
        raise show.fail(f"{path} cannot be written.", code=2) from None
    return {"keys": [key.as_dict(private=False)]}


def _path(reach: Reach) -> Path:
    given = os.environ.get("KINDRED_SMART_CLIENTS", "")
    folder = Path(reach.known.keys_dir if reach.known else place.here().keys)
    return Path(given) if given else folder / "intake" / place.SMART_CLIENTS


def _rows(reach: Reach) -> list[dict[str, Any]]:
    path = _path(reach)
    try:
        rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["clients"]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError):
        raise show.fail(f"{path} cannot be read.", 'It must be JSON: {"clients": [...]}.') from None
    return rows


def _write(reach: Reach, rows: list[dict[str, Any]]) -> None:
    """All of it or none: intake may read at any moment."""
    path = _path(reach)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_suffix(".draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"clients": rows}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
