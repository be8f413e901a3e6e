"""docs/permissions.md says what the set-up does, and the table knows every collection that the code removes from."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from chassis import catalog
from cli.local import rights

ROOT = Path(__file__).resolve().parents[2]


def test_the_documented_table_is_the_declared_one() -> None:
    """Whoever changes a right changes the page that the security office reads."""
    text = (ROOT / "docs" / "permissions.md").read_text(encoding="utf-8")
    rows = [
        re.split(r" (?<!\\)\| ", line[2:-2]) for line in text.splitlines() if re.match(r"\| [a-z]+-", line)
    ]
    documented = [tuple(cell.replace("\\|", "|") for cell in row) for row in rows]
    assert documented == rights.table()


def test_every_event_has_somebody_who_may_say_it() -> None:
    """An event that nobody may publish would be held in its outbox forever."""
    said = {name for service in rights.SERVICES for name in rights.said_by(service)}
    assert said == set(catalog.all_types())


@pytest.mark.parametrize("service", rights.SERVICES)
def test_an_event_of_one_service_is_said_by_no_other(service: str) -> None:
    """What two services may both say is what every service says of its readers."""
    others = {name for other in rights.SERVICES if other != service for name in rights.said_by(other)}
    shared = set(rights.said_by(service)) & others
    packages = {catalog.message_class(name).DESCRIPTOR.file.package for name in shared}
    assert packages == {"kindred.access.v1"}


def test_audit_sees_the_counts_of_whatever_a_relay_collects_from() -> None:
    """A collection that is missing here would be compared with nothing."""
    intake = import_module("services.intake.bootstrap")
    assert set(rights.AGGREGATES["intake"]) == set(intake._COLLECTIONS)
    for service in ("matching", "notifications", "audit"):
        text = (ROOT / "services" / service / "bootstrap.py").read_text(encoding="utf-8")
        (listed,) = re.findall(r"(?:collections=|said_in = )\[([^]]+)\]", text)
        assert len(listed.strip(" ,").split(",")) == len(rights.AGGREGATES[service]), service


# Each file that removes rows, and the collections it removes from. `log` are the pruner's, `tests` need none.
REMOVING = {
    "chassis/oidc/attempts.py": {"desk_sign_ins", "work_sign_ins", "page_sign_ins", "console_sign_ins"},
    "chassis/retries.py": {"retry_events", "started_events"},
    "chassis/vault.py": {"data_keys"},
    "chassis/web_session.py": {"desk_sessions", "work_sessions", "page_sessions", "console_sessions"},
    "services/audit/store/heads.py": {"staged", "root_staged"},
    "services/audit/sealing/keyring.py": {"data_keys"},
    "services/audit/store/register.py": {"register"},
    "services/audit/store/saved.py": {"saved_searches"},
    "services/audit/search/index.py": {"finds", "search_state"},
    "services/audit/store/entries.py": {"tiles", "root_tiles"},
    "services/audit/store/tiles.py": {"tiles", "root_tiles"},
    "services/intake/store/outward.py": {"deliveries", "receivers"},
    "services/notifications/store/addresses.py": {"addresses"},
}
_REMOVES = re.compile(r"\.(?:delete_one|delete_many|find_one_and_delete)\(|\bDelete(?:One|Many)\(")


def test_whoever_removes_rows_may() -> None:
    """A new deletion is looked at here: else the database refuses it where nobody sees it in time."""
    files = [path for room in ("chassis", "services") for path in (ROOT / room).rglob("*.py")]
    found = {
        str(path.relative_to(ROOT)) for path in files if _REMOVES.search(path.read_text(encoding="utf-8"))
    }
    assert found <= set(REMOVING)
    allowed = {name for names in rights.REMOVABLE.values() for name in names}
    assert {name for names in REMOVING.values() for name in names} <= allowed | {"data_keys"}


_COLLECTION = re.compile(r'database\[f?"((?:\{\w+\})?[a-z_]+)"\]')


def test_the_table_knows_every_collection_of_audit() -> None:
    """What audit adds to and changes is listed there by name: one that is missing stops its processes at start."""
    files = [*(ROOT / "services" / "audit").rglob("*.py"), *(ROOT / "chassis").rglob("*.py")]
    named = {name for path in files for name in _COLLECTION.findall(path.read_text(encoding="utf-8"))}
    named = {re.sub(r"\{name\}", "console", re.sub(r"\{own\}", "", name)) for name in named}
    known = {name for user in rights.users() for grant in user.database for name in grant.collections}
    assert named <= {*known, *rights.LOG, "data_keys", "erased_keys"}


def test_nobody_but_the_pruner_removes_from_the_log() -> None:
    """Nor changes what is in it."""
    for user in rights.users():
        for grant in user.database:
            touches = grant.database == "kindred_audit" and (
                grant.collections == (rights.ALL,) or set(grant.collections) & set(rights.LOG)
            )
            if touches and user.name != rights.PRUNER:
                assert not {"remove", "update"} & set(grant.actions), user.name
            assert not any(action.startswith(("drop", "rename", "collMod")) for action in grant.actions)
