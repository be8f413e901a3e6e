"""What a hostile message, form, address or header gets at the running doors: a plain no, and nothing of it anywhere."""

from __future__ import annotations

import ast
import asyncio
import base64
import gzip
import json
import re
import tracemalloc
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode

import grpc
import pytest

from chassis import identity
from chassis.errors import Refusal
from kindred.matching.v1 import roster_pb2, roster_pb2_grpc
from kindred.operations.v1 import operations_pb2, operations_pb2_grpc
from services.matching import roster_rows
from services.matching.roster_file import COLUMNS, RawRow
from tests.bundles import a_bundle
from tests.matching_room import a_row
from tests.security.walk_rooms import HERE, TRIED, Answer, Stage, served

ROOT = Path(__file__).resolve().parents[2]
DEEP = 60_000
INJECTIONS = (
    '{"$ne":null}',
    '{"$gt":""}',
    "[$ne]",
    "$where",
    "' || '1'=='1",
    "1;return true",
    "../../etc/passwd",
)
SCRIPT = "<script>alert(7)</script>"
IMAGE = '"><img src=x onerror=alert(7)>'


def ask(
    stage: Stage, method: str, path: str, *, body: bytes = b"", role: str = "", **headers: str
) -> tuple[Answer, dict[str, str]]:
    """A request as it stands, by somebody of the role or by nobody; the answer with its headers."""
    told = {
        "host": HERE,
        "content-length": str(len(body)),
        **{k.replace("_", "-"): v for k, v in headers.items()},
    }
    if role:
        told["authorization"] = f"Bearer {stage.token(stage.caller(role))}"
        told.setdefault("x-purpose-of-use", "HCOMPL" if role == "compliance" else "TREAT")
    sent = [(name.encode(), value.encode("latin-1")) for name, value in told.items()]
    stage.codes.clear()
    status, found, content = asyncio.run(served(stage.app, method, path, sent, body))
    TRIED.update({"hostile inputs tried": 1, "of those refused": int(status >= 400)})
    return Answer(stage.codes[-1] if stage.codes else "ok", status, content), found


def browse(
    stage: Stage, role: str, door: str, fields: dict[str, str] | None = None
) -> tuple[Answer, dict[str, str]]:
    """A page as somebody signed in opens it, or a form as they post it."""
    method, _, path = door.partition(" ")
    secret = stage.browser(stage.caller(role))
    body = (
        urlencode({"csrf": stage.form_token(secret), **(fields or {})}).encode() if method == "POST" else b""
    )
    kind = {"content_type": "application/x-www-form-urlencoded"} if body else {}
    return ask(stage, method, path, body=body, cookie=f"{stage.cookie}={secret}", **kind)


JSON_DOORS = (
    ("intake", "POST", "/fhir", "nurse"),
    ("intake", "POST", "/fhir/Task", "nurse"),
    ("intake", "POST", "/fhir/Bundle/$validate", "nurse"),
    ("intake", "PATCH", "/fhir/Task/none", "nurse"),
    ("intake", "POST", "/fhir/Subscription", "coordinator"),
    ("audit", "POST", "/audit/register", "compliance"),
    ("audit", "POST", "/audit/saved", "compliance"),
    ("audit", "POST", "/audit/reviews/none", "compliance"),
    ("audit", "POST", "/fhir/AuditEvent", "system"),
)


@pytest.mark.parametrize(("service", "method", "path", "role"), JSON_DOORS)
def test_no_json_is_too_deep_or_too_odd_to_be_refused(
    stages: dict[str, Stage], service: str, method: str, path: str, role: str
):
    """A document nested 60,000 deep, numbers of 5,000 digits, endless names, half of UTF-16: 4xx each, and never 500."""
    bodies = (
        b"[" * DEEP,
        b'{"a":' * DEEP + b"1" + b"}" * DEEP,
        b'{"resourceType":"Bundle","entry":' + b"[" * DEEP + b"]" * DEEP + b"}",
        b'{"a":' + b"9" * 5_000 + b"}",
        b'{"a":1e99999,"b":NaN}',
        b'{"a":"\\ud800"}',
        b"\xff\xfe{\x00}\x00",
        b"null",
        b"",
    )
    kind = "application/json-patch+json" if method == "PATCH" else "application/fhir+json"
    for body in bodies:
        answer, _ = ask(
            stages[service], method, path, body=body, role=role, content_type=kind, if_match='W/"1"'
        )
        # Somebody else's AuditEvent is kept as it came, and flagged; $validate answers what is wrong with 200.
        is_told = path in ("/fhir/Bundle/$validate", "/fhir/AuditEvent") and answer.status in (200, 201)
        assert 400 <= answer.status < 500 or is_told, (
            body[:40],
            answer.status,
            answer.code,
        )


def test_a_token_of_nonsense_is_a_plain_no(stages: dict[str, Stage]):
    """Tokens nested deep, of other algorithms, unsigned, signed with the public key, with a key of their own: 401."""
    stage = stages["intake"]

    def part(text: bytes) -> str:
        return base64.urlsafe_b64encode(text).rstrip(b"=").decode()

    claims = part(json.dumps({"sub": "eve", "role": "nurse", "exp": 9e9, "iss": "kindred-local"}).encode())
    own_key = {
        "alg": "Ed25519",
        "jwk": {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    }
    tokens = (
        part(b'{"alg":' + b"[" * 1_400) + "." + claims + ".x",
        part(b'{"alg":"Ed25519","a":' + b"[" * 1_400 + b"]" * 1_400 + b"}") + f".{claims}.x",
        part(b'{"alg":"none"}') + f".{claims}.",
        part(b'{"alg":"HS256"}') + f".{claims}." + part(b"x" * 32),
        part(json.dumps(own_key).encode()) + f".{claims}." + part(b"x" * 64),
        part(b'{"alg":"Ed25519","kid":"../../etc/passwd"}') + f".{claims}." + part(b"x" * 64),
        part(b'{"alg":"Ed25519","jku":"https://evil.example/keys"}') + f".{claims}." + part(b"x" * 64),
        "a.b.c",
        "a" * 4_000,
        "." * 4_000,
    )
    for token in tokens:
        for service in ("intake", "matching", "audit", "notifications"):
            answer, _ = ask(stages[service], "GET", "/notices", authorization=f"Bearer {token}")
            assert answer.status in (401, 404) and answer.status != 500, (service, token[:30], answer)
        with pytest.raises(Refusal) as refused:
            stage.doors.tokens.read(token)
        assert refused.value.code in ("token-invalid", "token-missing")
    assert identity.ROLES  # the four services read tokens by the one reader


def test_a_bomb_is_not_unpacked(stages: dict[str, Stage]):
    """A body that says it is compressed is refused as it came: 64 MB of nothing in 64 KB cost nothing."""
    bomb = gzip.compress(b"0" * 64_000_000, 9)
    tracemalloc.start()
    for service, method, path, role in JSON_DOORS[:1] + JSON_DOORS[5:6]:
        answer, _ = ask(
            stages[service],
            method,
            path,
            body=bomb,
            role=role,
            content_type="application/fhir+json",
            content_encoding="gzip",
        )
        assert 400 <= answer.status < 500
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 16_000_000


def test_a_bomb_over_grpc_is_measured_unpacked(stages: dict[str, Stage]):
    """A message that is small on the wire and huge when unpacked is refused before it is one."""
    stage = stages["matching"]
    caller = stage.caller("engineer")
    metadata = [("authorization", f"Bearer {stage.token(caller)}")]
    wanted = operations_pb2.DiscardParkedRequest(reason="0" * 64_000_000)
    with grpc.insecure_channel(
        f"{HERE}:{stage.port}",
        options=[("grpc.max_send_message_length", -1)],
        compression=grpc.Compression.Gzip,
    ) as channel:
        stub = operations_pb2_grpc.OperationsServiceStub(channel)
        with pytest.raises(grpc.RpcError) as refused:
            stub.DiscardParked(wanted, timeout=60, metadata=metadata)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("injected", INJECTIONS)
def test_no_operator_of_the_database_gets_through(stages: dict[str, Stage], injected: str):
    """What looks like a query is a word like any other: as an id, a parameter, a field, in JSON or over gRPC."""
    intake, audit = stages["intake"], stages["audit"]
    as_path = injected.replace("/", "%2F").replace('"', "%22")
    for path in (f"/fhir/Task/{as_path}", f"/fhir/Consent/{as_path}", f"/fhir/Subscription/{as_path}"):
        role = "coordinator" if "Subscription" in path else "nurse"
        answer, _ = ask(intake, "GET", path, role=role)
        assert answer.status in (400, 404), (path, answer.status)
    for name in ("_id", "status", "patient", "identifier"):
        answer, _ = ask(intake, "GET", f"/fhir/Task?{urlencode({name: injected})}", role="nurse")
        found = json.loads(answer.body)
        assert answer.status == 400 or not found.get("entry"), (name, found)
    for name in ("entity", "patient", "agent", "date"):
        answer, _ = ask(audit, "GET", f"/fhir/AuditEvent?{urlencode({name: injected})}", role="compliance")
        assert answer.code == "log-not-begun" or answer.status < 500
    sent = json.dumps(
        {"name": {"$ne": None}, "kind": "report", "report": {"$gt": ""}, "parameters": []}
    ).encode()
    assert ask(audit, "POST", "/audit/saved", body=sent, role="compliance")[0].status < 500
    stage = stages["matching"]
    with grpc.insecure_channel(f"{HERE}:{stage.port}") as channel:
        metadata = [("authorization", f"Bearer {stage.token(stage.caller('supervisor'))}")]
        with pytest.raises(grpc.RpcError) as refused:
            roster_pb2_grpc.RosterServiceStub(channel).GetSpecialist(
                roster_pb2.GetSpecialistRequest(specialist_id=injected), timeout=30, metadata=metadata
            )
    assert refused.value.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT)


def test_nobody_can_tell_another_hospitals_id_from_one_that_is_none(stages: dict[str, Stage]):
    """Who guesses ids learns nothing: the answers are the same to the letter."""
    stage = stages["intake"]
    real = stage.paths["/"]["{id}"]
    missing = real[:-4] + ("aaaa" if real[-4:] != "aaaa" else "bbbb")
    other = stage.token(stage.caller("nurse", elsewhere=True))
    for path in ("/fhir/Task/{}", "/fhir/ServiceRequest/{}", "/fhir/Task/{}/_history/1"):
        answers = []
        for one in (real, missing):
            answer, _ = ask(
                stage, "GET", path.format(one), authorization=f"Bearer {other}", x_purpose_of_use="TREAT"
            )
            answers.append((answer.status, answer.body.replace(one.encode(), b"ID")))
        assert answers[0] == answers[1]
        assert answers[0][0] == 404


def test_nobody_writes_what_is_not_theirs_to_write(stages: dict[str, Stage]):
    """More fields than the form has, and columns of one's own entry that others decide: ignored or refused."""
    stage = stages["matching"]
    more = {
        "role": "supervisor",
        "programme_id": "harlem-peers",
        "capacity": "99",
        "certifications": "NY/any/any/2000-01-01/2099-01-01",
    }
    answer, _ = browse(stage, "specialist", "POST /matching/me/entry", more)
    assert answer.status < 500
    with grpc.insecure_channel(f"{HERE}:{stage.port}") as channel:
        stub = roster_pb2_grpc.RosterServiceStub(channel)
        metadata = [("authorization", f"Bearer {stage.token(stage.caller('specialist'))}")]
        wanted = roster_pb2.GetSpecialistRequest(specialist_id="rosa")
        before = stub.GetSpecialist(wanted, timeout=30, metadata=metadata)
        for column, value in more.items():
            changed = roster_pb2.ReviseSpecialistRequest(
                specialist_id="rosa", revision=before.revision, columns={column: value}
            )
            try:
                told = stub.ReviseSpecialist(changed, timeout=30, metadata=metadata)
            except grpc.RpcError as refused:
                assert refused.code() in (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.INVALID_ARGUMENT)
            else:
                assert told.faults, column
        after = stub.GetSpecialist(wanted, timeout=30, metadata=metadata)
    assert {name: after.columns[name] for name in more} == {name: before.columns[name] for name in more}


TRAVERSALS = (
    "..%2f..%2f..%2fetc%2fpasswd",
    "....//....//etc/passwd",
    "%2e%2e/words.py",
    "..\\..\\settings.py",
    "/etc/passwd",
    "a%00.css",
)


@pytest.mark.parametrize("name", TRAVERSALS)
def test_no_path_leads_out_of_its_folder(stages: dict[str, Stage], name: str):
    """Assets and tiles are files of ours that are named, and nothing else of the machine."""
    places = (
        ("intake", "/desk/assets/"),
        ("matching", "/matching/assets/"),
        ("notifications", "/notices/assets/"),
        ("audit", "/console/assets/"),
        ("audit", "/log/"),
    )
    for service, start in places:
        answer, _ = ask(stages[service], "GET", start + name)
        assert answer.status == 404, (service, answer)
        assert b"root:" not in answer.body


ELSEWHERE = (
    "//evil.example",
    "https://evil.example",
    "/\\evil.example",
    "/desk@evil.example",
    "/desk//evil.example\r\nx: y",
    "javascript:alert(7)",
    "/matchingevil",
    "\t//evil.example",
)


@pytest.mark.parametrize("path", ELSEWHERE)
def test_no_page_sends_a_browser_elsewhere(stages: dict[str, Stage], path: str):
    """Where somebody is sent after a form or a sign-in is a page of the same service."""
    tried = (
        ("intake", "nurse", "POST /desk/language"),
        ("matching", "specialist", "POST /matching/language"),
        ("audit", "compliance", "POST /console/language"),
    )
    for service, role, door in tried:
        home = "/" + door.split("/")[1]
        _, headers = browse(stages[service], role, door, {"next": path, "language": "en"})
        where = headers.get("location", home)
        assert re.fullmatch(rf"{home}(/[A-Za-z0-9_/.-]*)?", where) or where.startswith(f"{home}/sign-in"), (
            where
        )
    for service, home in (
        ("intake", "/desk"),
        ("matching", "/matching"),
        ("audit", "/console"),
        ("notifications", "/notices"),
    ):
        answer, headers = ask(stages[service], "GET", f"{home}/sign-in?{urlencode({'next': path})}")
        assert b"evil" not in answer.body and "evil" not in headers.get("location", "")


def test_a_header_of_theirs_makes_no_header_and_no_log_line_of_ours(
    stages: dict[str, Stage], capsys: pytest.CaptureFixture[str]
):
    """Line ends, colors and megabytes in ids that we hand on are left out, not repeated."""
    hostile = (
        "a\r\nset-cookie: s=1",
        "\x1b[31mred",
        '{"event":"forged"}',
        "x" * 20_000,
        "Marlowe, Testperson",
    )
    for value in hostile:
        answer, headers = ask(
            stages["intake"], "GET", "/fhir/metadata", x_request_id=value, traceparent=value
        )
        assert answer.status == 200
        assert "set-cookie" not in headers and value not in headers.values()
        ask(
            stages["intake"],
            "GET",
            "/fhir/Task/" + "%0a%7B%22event%22%3A%22forged%22%7D",
            role="nurse",
            x_request_id=value,
        )
    told = capsys.readouterr()
    for line in (told.out + told.err).splitlines():
        assert "forged" not in line and "Marlowe" not in line and "\x1b[31mred" not in line


def test_a_hostile_name_is_shown_as_words(stages: dict[str, Stage]):
    """Markup in a person's name is text on every page of the desk, and the policy would run none of it."""
    stage = stages["intake"]
    bundle = a_bundle("hostile-1")
    patient = next(one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == "Patient")
    patient["name"] = [{"family": f"{SCRIPT}{IMAGE}", "given": ["{{7*7}}${7*7}"]}]
    answer, _ = ask(
        stage,
        "POST",
        "/fhir",
        body=json.dumps(bundle).encode(),
        role="nurse",
        content_type="application/fhir+json",
    )
    assert answer.status == 200, answer.body
    places = [one["response"].get("location", "") for one in json.loads(answer.body)["entry"]]
    referral_id = next(place for place in places if place).split("/")[1]
    for path in (
        "/desk",
        f"/desk/referrals/{referral_id}",
        f"/desk/referrals/{referral_id}/print",
        f"/desk/referrals/{referral_id}/correct",
    ):
        page, headers = browse(stage, "nurse", f"GET {path}")
        text = page.body.decode()
        assert page.status == 200
        assert (
            SCRIPT not in text
            and "<img src=x" not in text
            and "49" not in re.findall(r"\{\{.*?\}\}|\$\{.*?\}", text)
        )
        strict(text, headers)


def strict(text: str, headers: dict[str, str]) -> None:
    """The page runs no script that is not ours, whatever is in it (OWASP ASVS 14.4.3)."""
    told = headers["content-security-policy"]
    rules = {rule.split()[0]: rule.split()[1:] for rule in told.split(";") if rule.strip()}
    assert rules["default-src"] == ["'none'"]
    assert rules["frame-ancestors"] == ["'none'"]
    scripts = rules.get("script-src", [])
    assert all(one == "'self'" or one.startswith("'nonce-") for one in scripts), told
    assert not {"'unsafe-inline'", "'unsafe-eval'"} & {one for found in rules.values() for one in found}, told
    assert headers.get("x-content-type-options") == "nosniff"
    reading = _Tags()
    reading.feed(text)
    for tag, attributes in reading.found:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        links = (attributes.get(name, "") for name in ("href", "src", "action", "formaction"))
        assert not any(one.strip().lower().startswith(("javascript:", "data:text")) for one in links), (
            attributes
        )
        if tag == "script":
            assert {"src", "nonce"} & attributes.keys() or attributes["type"].startswith("application/")


class _Tags(HTMLParser):
    """Every tag of a page with its attributes, as a browser reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keeps it."""
        self.found.append((tag, {name: value or "" for name, value in attrs}))


PAGES = (
    ("intake", "nurse", ("/desk", "/desk/new", "/desk/sign-in")),
    ("intake", "coordinator", ("/desk/review",)),
    ("matching", "specialist", ("/matching", "/matching/pool", "/matching/me", "/matching/people/carried")),
    (
        "matching",
        "supervisor",
        ("/matching/board", "/matching/board/team", "/matching/board/report", "/matching/board/backlog"),
    ),
    ("notifications", "supervisor", ("/notices", "/notices/preferences", "/notices/operator")),
    (
        "audit",
        "compliance",
        ("/console/reports", "/console/reviews", "/console/look-up", "/console/accounting"),
    ),
)


@pytest.mark.parametrize(("service", "role", "paths"), PAGES)
def test_every_page_is_strict(stages: dict[str, Stage], service: str, role: str, paths: tuple[str, ...]):
    """No page may run what it was told: a strict policy, no inline script without a nonce, no inline handler."""
    for path in paths:
        page, headers = browse(stages[service], role, f"GET {path}")
        if headers.get("content-type", "").startswith("text/html"):
            strict(page.body.decode(), headers)
        assert page.status < 500, path


@pytest.mark.parametrize("column", sorted(set(COLUMNS) - {"phone", "display_name"}))
def test_no_cell_of_an_exported_roster_is_a_formula(column: str):
    """What a spreadsheet would calculate is no value of a column that is kept (a name is not, a phone goes sealed)."""
    for cell in (
        "=1+1",
        "+1+1",
        "@SUM(A1)",
        "\t=1+1",
        "\r=1+1",
        '=HYPERLINK("https://evil.example")',
        "-1+cmd|' /C calc'!A0",
    ):
        told = roster_rows.read(RawRow(1, {**a_row(), column: cell}))
        assert isinstance(told, list) and told[0].column == column


def test_a_form_of_another_kind_is_no_form(stages: dict[str, Stage]):
    """Multipart, JSON and text posted to a form are refused: nothing is unpacked that no page of ours sends."""
    stage = stages["intake"]
    secret = stage.browser(stage.caller("nurse"))
    for kind, body in (
        ("multipart/form-data; boundary=x", b"--x\r\n" * 20_000 + b"--x--"),
        ("application/json", b'{"csrf":"x"}'),
        ("text/plain", b"csrf=x"),
        ("application/x-www-form-urlencoded", b"&".join(b"a%d=1" % number for number in range(5_000))),
        ("application/x-www-form-urlencoded", b"csrf=%ff%fe"),
    ):
        answer, _ = ask(
            stage, "POST", "/desk/new", body=body, cookie=f"{stage.cookie}={secret}", content_type=kind
        )
        assert 400 <= answer.status < 500, (kind, answer.status)


_SECRETS = re.compile(r"(secret|signature|hmac|csrf|token)s?$")


def test_what_is_secret_is_compared_in_constant_time():
    """No `==` between two values where one is called a secret: `compare_digest` takes as long for every guess."""
    found = []
    for top in ("chassis", "services"):
        for path in sorted((ROOT / top).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
                    continue
                sides = [node.left, *node.comparators]
                names = [
                    one.attr if isinstance(one, ast.Attribute) else getattr(one, "id", "") for one in sides
                ]
                is_constant = any(isinstance(one, ast.Constant) for one in sides)
                if not is_constant and any(_SECRETS.search(name) for name in names):
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []
