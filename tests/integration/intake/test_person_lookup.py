"""From a name to an id: an officer asks the console, the console asks intake, and both logs say so before the answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest

from chassis import grpc_client, identity
from chassis.rich_status import refused
from kindred.intake.v1 import lookup_pb2, lookup_pb2_grpc
from services.audit.officers_door import render_refusal, routes
from services.audit.web.sessions import Sessions
from tests.audit_reading import ReadLog, a_read_log
from tests.bundles import a_bundle
from tests.integration.intake.intake_processes import Bus, Er, Process, referral_of, until

ROSA = {"family_name": "Marlowe-lookup", "given_name": "Testperson", "birth_date": "1988-04-01"}


@pytest.fixture(scope="module", autouse=True)
def rosa(er: Er) -> str:
    """Somebody who was referred."""
    return referral_of(er.post(a_bundle("-lookup")))


def find(api: Process, er: Er, asked: dict[str, str], **who: str) -> Any:
    """FindPeople as Vera the officer, or as somebody else."""
    caller = {"actor_id": "officer-vera", "role": "compliance", "organization_id": "kindred"} | who
    purpose = caller.pop("purpose", "HCOMPL")
    token = identity.mint(er.issuer_pem, **caller)
    address = f"127.0.0.1:{api.ready()['grpc_port']}"
    with grpc_client.channel(address, token=token, purpose=purpose) as channel:
        request = lookup_pb2.FindPeopleRequest(**asked)
        return lookup_pb2_grpc.LookupServiceStub(channel).FindPeople(request, timeout=15)


@pytest.mark.parametrize(
    "asked",
    [
        ROSA,
        {"record_number": "MRN--lookup"},
        {"record_number": "MRN--lookup", "record_system": "urn:oid:2.999.1"},
    ],
)
def test_a_name_or_a_number_leads_to_the_id_and_the_log_knows_who_asked(api, er, bus: Bus, asked):
    """Also without the number's system; the entry names the person by id, and the criteria without their words."""
    (one,) = find(api, er, asked).people
    assert one.peer_id.startswith("peer_") and one.likeness == "certain"
    assert (one.family_name, one.birth_date, list(one.sources)) == (
        "Marlowe-lookup", "1988-04-01", ["er-st-brigid"],
    )  # fmt: skip

    def about() -> list[Any]:
        """The looks at this person; others' looks at others may be heard before them."""
        said = bus.said("record.read.v1", record_type="Person")
        return [each for each in said if each.provenance.peer_id == one.peer_id]

    read = until("audited", about)
    assert read[-1].provenance.actor_id == "officer-vera"
    assert "Marlowe" not in str(read)


def test_a_name_that_is_only_alike_is_said_to_be_only_possible(api, er):
    """A spelling apart with the same birth date: shown to the officer, and not as certain."""
    found = find(api, er, ROSA | {"family_name": "Marlow-lookup"}).people
    assert [one.likeness for one in found if one.family_name == "Marlowe-lookup"] == ["possible"]


def test_nobody_is_found_by_nothing_and_by_what_nobody_has(api, er):
    """A stranger's name finds nobody; a name alone is no description, and the fields at fault are named."""
    assert not find(api, er, ROSA | {"family_name": "Nobody", "given_name": "Atall"}).people
    with pytest.raises(grpc.RpcError) as failed:
        find(api, er, {"family_name": "Marlowe-lookup"})
    told = refused(failed.value)
    assert told.code == "person-incomplete"
    assert {fault.path for fault in told.faults} == {"given_name", "birth_date"}


@pytest.mark.parametrize("who", [{"role": "nurse"}, {"purpose": "TREAT"}, {"role": "engineer"}])
def test_only_an_officer_on_duty_may_and_a_refusal_is_an_entry(api, er, bus: Bus, who):
    """Another role or purpose is turned away, and the log has it."""
    with pytest.raises(grpc.RpcError) as failed:
        find(api, er, ROSA, **who)
    assert failed.value.code() is grpc.StatusCode.PERMISSION_DENIED
    until("denied", lambda: bus.said("access.denied.v1", record_type="Person"))


@pytest.fixture(scope="module")
def console(
    mongo_uri: str, intake_keys: Any, api: Process, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ReadLog]:
    """The console of a log whose issuer is intake's, told where intake is."""
    folder = tmp_path_factory.mktemp("console")
    (folder / "keys").symlink_to(intake_keys)
    with a_read_log(mongo_uri, folder, intake_grpc=f"127.0.0.1:{api.ready()['grpc_port']}") as log:
        yield log


def enter(console: ReadLog, client: httpx.Client, token: str) -> None:
    """Vera is signed in, and this is what her sign-in service gave us to ask intake with."""
    secret = Sessions(console.room.database, console.room.clock).start(console.officer(), {"access": token})
    client.cookies.set("kindred-console", secret, domain="127.0.0.1")


def posted(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    """A form of the page at this path, as a browser sends it."""
    page = client.get(path)
    csrf = re.findall('name="csrf" value="([^"]+)"', page.text)[-1]
    return client.post(path, data={"csrf": csrf, **fields})


def test_the_console_shows_names_that_it_never_keeps(console: ReadLog):
    """The officer types a name, sees the id and goes on by it; no document of audit's database has the name."""
    with (
        console.serving(routes(console.room), render_refusal=render_refusal) as address,
        httpx.Client(base_url=address, timeout=20) as client,
    ):
        enter(console, client, console.token())
        page = posted(client, "/console/look-up", why="PATRQT", **ROSA)
        assert page.status_code == 200 and "Marlowe-lookup" in page.text
        peer_id = re.findall("peer_[0-9a-f]{32}", page.text)[0]
        assert f"/console/people?person={peer_id}&amp;why=PATRQT" in page.text
        none = posted(client, "/console/look-up", **ROSA | {"family_name": "Nobody", "given_name": "Atall"})
        assert "Nobody answers to this." in none.text
        told = posted(client, "/console/look-up", family_name="Marlowe-lookup")
        assert told.status_code == 400 and "given_name" in told.text
    looks = [one for kind, one in console.said() if kind == "record.read.v1" and one.record_type == "Person"]
    assert [one.provenance.purpose_of_use for one in looks] == ["PATRQT", "HCOMPL", "HCOMPL"]
    assert set(looks[0].criteria) == {"family-name", "given-name", "birth-date"}
    database = console.room.database
    kept = [str(document) for name in database.list_collection_names() for document in database[name].find()]
    assert kept and not any("Marlowe" in text for text in kept)


def test_a_stale_sign_in_looks_up_nobody(console: ReadLog):
    """The console may ask in the officer's name only while their token is valid; then it says what to do."""
    with (
        console.serving(routes(console.room), render_refusal=render_refusal) as address,
        httpx.Client(base_url=address, timeout=20) as client,
    ):
        enter(console, client, "over")
        told = posted(client, "/console/look-up", **ROSA)
        assert told.status_code == 403 and "Sign in again" in told.text
