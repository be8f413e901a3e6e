"""Documents agree with the code: events, words, links, code blocks."""

import re
import subprocess
from pathlib import Path

import pytest

from chassis import catalog

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "services/**/*.md", "chassis/**/*.md", "deploy/**/*.md")
    for path in ROOT.glob(pattern)
)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
PATH_IN_CODE = re.compile(r"`((?:services|chassis|cli|deploy|docs|tests|protos)/[A-Za-z0-9_./-]+)`")
BLOCK = re.compile(r"```(sh|shell|bash|python)\n(.*?)```", re.DOTALL)


def headings() -> dict[str, str]:
    """Each event's heading in docs/events.md and the wire name right below it."""
    text = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^### (\w+)\n`([a-z0-9.-]+)`", text, re.MULTILINE))


def test_every_event_has_its_heading_and_no_heading_lacks_its_event() -> None:
    """One stem, four spellings: the proto's message, the wire name and the heading agree."""
    known = {catalog.message_class(name).DESCRIPTOR.name: name for name in catalog.all_types()}
    assert headings() == known


def test_listeners_are_named_after_what_they_hear() -> None:
    """A worker's method that hears `offer.made.v1` is called `on_offer_made`."""
    wrong = []
    for path in sorted(ROOT.glob("services/*/worker.py")):
        text = path.read_text(encoding="utf-8")
        for wire, method in re.findall(r"@hears\(\s*\"([a-z0-9.-]+)\.v\d+\"[^)]*\)\s+def (\w+)", text):
            wanted = "on_" + wire.replace(".", "_").replace("-", "_")
            if method != wanted:
                wrong.append(f"{path.parent.name}: {method} hears {wire}, so it should be {wanted}")
    assert wrong == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_link_is_dead(document: Path) -> None:
    """Every link to a file, and every file named in code, is there."""
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [a or b for a, b in LINK.findall(text)]
    local = [target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:", target)]
    dead = [target for target in local if target and not (document.parent / target).exists()]
    named = [path for path in PATH_IN_CODE.findall(text) if not is_there(path)]
    assert dead + named == []


def is_there(path: str) -> bool:
    """True for a file or folder of the repository; `name.py::test` and trailing dots are forgiven."""
    return (ROOT / path.rstrip(".")).exists()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_code_blocks_are_not_broken(document: Path) -> None:
    """Every shell block parses, its make targets and kindred commands exist; every Python block compiles."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for language, block in BLOCK.findall(document.read_text(encoding="utf-8")):
        if language == "python":
            compile(block, str(document), "exec")
            continue
        plain = re.sub(r"^\$ ", "", block, flags=re.MULTILINE)
        subprocess.run(["bash", "-n"], input=plain, text=True, check=True)
        for asked in re.findall(r"(?:^|[;&|]\s*)make ([a-z-]+)", plain, re.MULTILINE):
            assert asked in targets, f"there is no `make {asked}`"
        for line in re.findall(r"^(?:\.venv/bin/)?kindred ([a-z][a-z -]*)", plain, re.MULTILINE):
            assert is_command(line.split()), f"there is no `kindred {line}`"


def is_command(words: list[str]) -> bool:
    """True if the first one or two words are a command of ours."""
    import typer.main

    from cli.app import app

    group = typer.main.get_command(app)
    for word in words:
        children = getattr(group, "commands", {})
        if not children:
            return True
        if word not in children:
            return False
        group = children[word]
    return True
