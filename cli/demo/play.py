"""`kindred demo`: starts the system, lets the play run, and believes only what it can check."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli import auditing, show
from cli.commands import machine
from cli.commands.roster import import_file
from cli.demo import account as accounts
from cli.demo import gathering, promises, roster
from cli.demo.account import Account
from cli.demo.cast import Cast, Played
from cli.demo.people import STORIES
from cli.demo.promises import Seen, Verdict
from cli.local import place, system
from cli.local.faults import LocalFault
from cli.reach import Reach, plain_errors
from cli.verify import NotVerified

SPECIALISTS = 520
SEED = 7
# Short waves, so that an unanswered offer expires while you watch: seconds of wave 1 and wave 2.
WAVES = {"KINDRED_WAVE_SECONDS": "10,10"}
PLAY_S = 120.0
SETTLE_S = 60.0
LOOK_EVERY_S = 1.5


def run(*, keep: bool, as_json: bool) -> int:
    """The exit code: 0 only if every promise held. Stops the system afterwards unless it was up, or `keep`."""
    here = place.here()
    was_up = _is_up(here)
    account = Account(is_silent=as_json)
    account.chapter("1. The system starts")
    if as_json:
        system.up(here, lambda name, state: None, WAVES, is_watched=True)
    else:
        machine.start_here(machine.Progress(), WAVES)
    try:
        with plain_errors():
            seen, found = _evening(here, account)
        _report(account, seen, found, as_json=as_json)
        return 0 if all(one.held for one in found) else 1
    finally:
        _leave(here, account, was_up=was_up, keep=keep)


def _evening(here: place.Place, account: Account) -> tuple[Seen, list[Verdict]]:
    reach = Reach()
    account.chapter("2. The roster")
    people = _enroll(here, reach, account)
    began = datetime.now(UTC)
    account.chapter("3. Tonight's people (all fictional)")
    accounts.people(account)
    account.chapter("4. What happens")
    cast = Cast(reach, began.strftime("%m%d%H%M%S"), account.tell, here.mail)
    played = _play(cast)
    account.chapter("5. The promises")
    seen = gathering.Gatherer(reach, here, began, people, played, cast)
    return _settle(seen, reach, here, account)


def _enroll(here: place.Place, reach: Reach, account: Account) -> dict[str, roster.Row]:
    rows = roster.specialists(SPECIALISTS, SEED)
    file = here.var / "demo-roster.csv"
    roster.write(file, rows)
    before = auditing.size(reach)
    summary = import_file(reach, file)
    for fault in summary["faults"]:
        raise show.fail(
            f"The roster has a bad row: line {fault['line']}, {fault['column']}: {fault['message']}"
        )
    account.say(
        f"  {summary['rows_read']} rows read, {summary['rows_stored']} stored, "
        f"{summary['rows_unchanged']} already there: {SPECIALISTS} specialists, {len(roster.PROGRAMMES)} supervisors"
    )
    _wait_heard(reach, before + summary["rows_stored"], len(rows))
    return {row["specialist_id"]: row for row in rows}


def _wait_heard(reach: Reach, entries: int, contacts: int) -> None:
    """Lets the news of the roster pass first: audit has it all, notifications knows everybody, no inbox holds any.

    Else the first offers would wait behind five hundred new contacts, and their short deadlines might pass.
    """
    deadline = time.monotonic() + SETTLE_S
    while time.monotonic() < deadline:
        is_known = auditing.size(reach) >= entries and gathering.known_contacts(reach) >= contacts
        if is_known and not gathering.waiting_in_inboxes(reach):
            return
        time.sleep(LOOK_EVERY_S / 5)


def _play(cast: Cast) -> list[Played]:
    """The ERs send side by side while the specialists already answer."""
    with ThreadPoolExecutor(6) as pool:
        played = list(pool.map(cast.send, STORIES))
    cast.play(played, PLAY_S)
    return played


def _settle(
    gatherer: gathering.Gatherer, reach: Reach, here: place.Place, account: Account
) -> tuple[Seen, list[Verdict]]:
    """Looks again until everything held or its time is up: notices and entries come a moment after the events."""
    account.say("[dim]  waiting for the last notices and audit entries ...[/]")
    gatherer.read_tasks()
    deadline = time.monotonic() + SETTLE_S
    while True:
        seen = gatherer.look({"verified": True})
        held = all(one.held for one in promises.judge(seen))
        if held or time.monotonic() > deadline:
            break
        time.sleep(LOOK_EVERY_S)
    seen.audit = _verified(reach, here.var)
    return seen, promises.judge(seen)


def _verified(reach: Reach, folder: Path) -> dict[str, Any]:
    try:
        return auditing.verify_log(reach, folder)
    except NotVerified as wrong:
        return {"verified": False, "code": str(wrong)}


def _report(account: Account, seen: Seen, found: list[Verdict], *, as_json: bool) -> None:
    if as_json:
        show.record(accounts.as_facts(seen, found), as_json=True)
        return
    show.console.print(accounts.table(seen))
    account.chapter("What was promised, and what was found")
    show.console.print(accounts.verdicts(found))
    account.chapter("The verified checkpoint of the audit log")
    show.console.print(str(seen.audit.get("checkpoint", "none")).rstrip(), markup=False, soft_wrap=True)
    held = sum(one.held for one in found)
    color = "green" if held == len(found) else "red"
    show.console.print(f"\n[bold {color}]{held} of {len(found)} promises held.[/]")


def _is_up(here: place.Place) -> bool:
    standings = system.status(here)
    return bool(standings) and all(standing.state == "ready" for standing in standings)


def _leave(here: place.Place, account: Account, *, was_up: bool, keep: bool) -> None:
    """Leaves the machine as it was found: stopped, or up with its ordinary waves."""
    if was_up or keep:
        try:
            system.up(here, lambda name, state: None, is_watched=True)
        except LocalFault as fault:
            raise show.fail(fault.problem, fault.remedy) from None
        account.say("\nThe system keeps running; `make status` says where, `make down` stops it.")
        return
    stopped = system.down(here, lambda name, state: None)
    account.say(
        f"\nStopped the {stopped} processes it had started; the data are kept. "
        "`make up` starts the system and leaves it running."
    )
