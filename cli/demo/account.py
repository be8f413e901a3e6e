"""What the demonstration prints: lines as things happen, then the table, the promises and the checkpoint."""

import threading
import time
from typing import Any

from rich.markup import escape
from rich.table import Table

from cli import show
from cli.demo.cast import Played
from cli.demo.people import STORIES, Story
from cli.demo.promises import Seen, Verdict

COLORS = ("cyan", "magenta", "yellow", "green", "blue", "bright_red")
REASONS = 4
ENDS = {
    "assigned": "green",
    "unfilled": "yellow",
    "refused": "blue",
    "lost": "bold red",
    "cancelled": "blue",
    "consent-revoked": "blue",
}


class Account:
    """Prints what happens while it happens; silent where the caller wants JSON."""

    def __init__(self, *, is_silent: bool) -> None:
        self._is_silent = is_silent
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def chapter(self, title: str) -> None:
        """A heading."""
        if not self._is_silent:
            show.console.print()
            show.console.rule(f"[bold]{title}[/]", align="left")

    def say(self, line: str) -> None:
        """One plain line."""
        if not self._is_silent:
            show.console.print(line, soft_wrap=True)

    def tell(self, story: Story, line: str) -> None:
        """One thing that happened to one person; safe from several threads."""
        if self._is_silent:
            return
        color = COLORS[[one.key for one in STORIES].index(story.key) % len(COLORS)]
        with self._lock:
            seconds = time.monotonic() - self._began
            show.console.print(
                f"[dim]{seconds:6.1f} s[/]  [{color}]{story.key:<16}[/] {escape(line)}", soft_wrap=True
            )


def people(account: Account) -> None:
    """Who comes tonight."""
    for story in STORIES:
        account.say(f"  [bold]{story.key:<16}[/] {escape(story.title)}, {escape(story.hospital.name)}")


def table(seen: Seen) -> Table:
    """One line for each referral."""
    made = Table(title="What happened to each", title_justify="left", header_style="bold", pad_edge=False)
    for name, justify in (
        ("referral", "left"), ("outcome", "left"), ("offer s", "right"), ("accept s", "right"),
        ("specialist, and why", "left"), ("notices", "right"), ("audit", "right"),
    ):  # fmt: skip
        made.add_column(name, justify=justify)  # type: ignore[arg-type]
    for one in seen.played:
        made.add_row(*_row(one, seen))
    return made


def _row(one: Played, seen: Seen) -> tuple[str, ...]:
    color = ENDS.get(one.outcome, "red")
    first = one.seconds_to(one.offers[0].made_at) if one.offers else None
    won = next((offer for offer in one.offers if offer.state == "accepted"), None)
    accepted = one.seconds_to(won.answered_at) if won else None
    return (
        f"{one.story.key}\n[dim]{escape(one.referral_id[-12:] or '-')}[/]",
        f"[{color}]{one.outcome}[/]",
        _seconds(first),
        _seconds(accepted),
        _why(one, won, seen),
        str(len(seen.notices.get(one.referral_id, []))) if one.referral_id else "-",
        str(len(seen.entries.get(one.referral_id, []))) if one.referral_id else "refusal",
    )


def _why(one: Played, won: Any, seen: Seen) -> str:
    if won is not None:
        name = seen.roster.get(won.specialist_id, {}).get("display_name", "")
        score = won.explanation.score_milli / 1000
        terms = sorted(won.explanation.terms, key=lambda term: -term.points_milli)
        reasons = ", ".join(f"{term.text} {term.points_milli / 1000:+g}" for term in terms[:REASONS])
        rest = sum(term.points_milli for term in terms[REASONS:]) / 1000
        reasons += f", {len(terms) - REASONS} more {rest:+g}" if len(terms) > REASONS else ""
        return f"{won.specialist_id} {escape(name)}, {score:g} points\n[dim]{escape(reasons)}[/]"
    if one.outcome == "refused":
        return f"[dim]{escape('; '.join(fault.partition(':')[0] for fault in one.refused_with))}[/]"
    excluded = (
        ", ".join(f"{rule.rule} {rule.specialists}" for rule in one.case.exclusions) if one.case else ""
    )
    asked = f"{len(one.offers)} asked, nobody answered" if one.offers else "nobody may be asked"
    return f"[dim]{asked}; kept out: {escape(excluded)}[/]" if excluded else f"[dim]{asked}[/]"


def verdicts(found: list[Verdict]) -> Table:
    """Every promise and its evidence."""
    made = Table.grid(padding=(0, 1))
    made.add_column(width=4)
    made.add_column(ratio=3)
    made.add_column(ratio=2, style="dim")
    for one in found:
        mark = "[bold green]held[/]" if one.held else "[bold red]NOT[/]"
        made.add_row(mark, escape(one.promise), escape(one.evidence))
    return made


def as_facts(seen: Seen, found: list[Verdict]) -> dict[str, Any]:
    """The whole account for a program."""
    return {
        "referrals": [
            {
                "story": one.story.key,
                "referral_id": one.referral_id,
                "outcome": one.outcome,
                "seconds_to_offer": one.seconds_to(one.offers[0].made_at) if one.offers else None,
                "specialist_id": one.case.assigned_specialist_id if one.case is not None else "",
                "notices": len(seen.notices.get(one.referral_id, [])),
                "audit_entries": len(seen.entries.get(one.referral_id, [])),
            }
            for one in seen.played
        ],
        "promises": [one.__dict__ for one in found],
        "audit": seen.audit,
        "held": all(one.held for one in found),
    }


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
