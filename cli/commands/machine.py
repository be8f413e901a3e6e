"""The system on this machine: up, down, status, logs, clean-data, demo, and tokens for it."""

import threading
from collections import OrderedDict
from typing import Annotated

import typer
from rich.live import Live
from rich.table import Table

from cli import show
from cli.local import place, readiness, shape, system
from cli.local.faults import LocalFault
from cli.reach import Reach


def add_to(app: typer.Typer) -> None:
    """Adds these commands to the top level."""
    for command in (up, down, status, logs, token, demo):
        app.command()(command)
    app.command("clean-data")(clean_data)


class Progress:
    """A live list of the parts as they move; safe to tell from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: OrderedDict[str, str] = OrderedDict()
        self.live = Live(get_renderable=self._table, console=show.console, refresh_per_second=8)

    def tell(self, name: str, state: str) -> None:
        with self._lock:
            self._states[name] = state
        if not show.console.is_terminal and state != "starting":
            show.console.print(f"  {name:<22} {state}")

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        if show.console.is_terminal:
            with self._lock:
                for name, state in self._states.items():
                    color = "green" if state.startswith(("ready", "was", "yours", "stopped")) else "yellow"
                    table.add_row(f"  {name}", f"[{color}]{state}[/]")
        return table


# Each page for people, by the service that serves it.
PAGES = {
    "ER desk": ("intake", "/desk"),
    "matching's pages": ("matching", "/matching"),
    "notices": ("notifications", "/notices"),
    "officers' console": ("audit", "/console"),
}


def start_here(
    progress: Progress, overrides: dict[str, str] | None = None, wanted: shape.Shape | None = None
) -> place.Addresses:
    """Starts what does not run yet; a fault of the machine ends the command with what to do about it."""
    try:
        with progress.live:
            return system.up(place.here(), progress.tell, overrides, is_watched=True, wanted=wanted)
    except LocalFault as fault:
        raise show.fail(fault.problem, fault.remedy) from None


def up(
    as_cluster: Annotated[
        bool,
        typer.Option("--cluster", help="Three nodes of broker and database, two of each api and worker."),
    ] = False,
    as_json: show.AsJson = False,
) -> None:
    """Start the system on this machine and leave it running."""
    wanted = shape.CLUSTER if as_cluster else None
    if as_json:
        try:
            known = system.up(place.here(), lambda name, state: None, is_watched=True, wanted=wanted)
        except LocalFault as fault:
            raise show.fail(fault.problem, fault.remedy) from None
    else:
        known = start_here(Progress(), wanted=wanted)
    addresses = {f"{name} (gRPC)": address for name, address in known.grpc.items()}
    addresses |= {f"{name} (HTTP)": f"http://{address}" for name, address in known.http.items()}
    pages = {name: f"http://{known.http[service]}{path}" for name, (service, path) in PAGES.items()}
    more = {"mails": known.mail_dir, "issuer of sign-ins": f"https://{known.issuer}"}
    show.record(addresses | more | pages, as_json=as_json)


def down(as_json: show.AsJson = False) -> None:
    """Stop what `kindred up` started; the data stay."""
    if as_json:
        show.record({"stopped": system.down(place.here(), lambda name, state: None)}, as_json=True)
        return
    progress = Progress()
    with progress.live:
        stopped = system.down(place.here(), progress.tell)
    show.console.print(
        f"Stopped {stopped} processes." if stopped else "Nothing of this checkout was running."
    )


def status(as_json: show.AsJson = False) -> None:
    """How each process stands, and where; exit code 1 if one of them does not."""
    standings = system.status(place.here())
    found = [standing.__dict__ for standing in standings]
    if not found and not as_json:
        raise show.fail("Nothing runs here.", "`make up` starts it.")
    show.rows(found, ("name", "state", "pid", "address"), as_json=as_json)
    if not found or any(standing.state != "ready" for standing in standings):
        raise typer.Exit(1)


def logs(
    name: Annotated[str, typer.Argument(help="A process, such as intake-api; nothing for all.")] = "",
    lines: Annotated[int, typer.Option(help="How many lines of each.")] = 20,
    as_json: show.AsJson = False,
) -> None:
    """The last lines of the logs."""
    found = sorted(place.here().log.glob(f"{name or '*'}.log"))
    if not found:
        raise show.fail(f"No log of {name or 'anything'} is here.", "`kindred status` lists the processes.")
    if as_json:
        tails = [{"name": log.stem, "lines": readiness.tail(str(log), lines).splitlines()} for log in found]
        show.rows(tails, (), as_json=True)
        return
    for log in found:
        show.console.rule(log.stem, align="left")
        show.console.print(readiness.tail(str(log), lines), markup=False, soft_wrap=True)


def clean_data(as_json: show.AsJson = False) -> None:
    """Forget all data, keys, mails and logs of this checkout."""
    here = place.here()
    try:
        system.clean(here)
    except LocalFault as fault:
        raise show.fail(fault.problem, fault.remedy) from None
    show.record({"forgotten": str(here.var)}, as_json=as_json)


def token(
    context: typer.Context,
    role: Annotated[str, typer.Option(help="nurse, clinician, specialist, supervisor, coordinator ...")],
    actor: Annotated[str, typer.Option(help="Whom the token speaks for, such as nurse-17.")],
    org: Annotated[str, typer.Option(help="The source or programme they belong to.")] = "",
    as_json: show.AsJson = False,
) -> None:
    """A bearer token for one hour, signed with the local issuer's key."""
    reach: Reach = context.obj
    minted = reach.handed_out(role, actor, org)
    if as_json:
        show.record({"token": minted}, as_json=True)
    else:
        print(minted)


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the system running afterwards.")] = False,
    as_json: show.AsJson = False,
) -> None:
    """Carry 20 and more ER referrals end to end on this machine and check every promise."""
    from cli.demo import play

    raise typer.Exit(play.run(keep=keep, as_json=as_json))
