"""The floor plan, the names and the imports that a reader may rely on."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("intake", "matching", "notifications", "audit")
ROOMS = ("README.md", "__main__.py", "api.py", "worker.py", "bootstrap.py", "settings.py", "domain")
ROOMS_OR_PACKAGES = ("codec", "handlers", "store")
FORBIDDEN_WORDS = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "base",
    "manager",
    "processor",
    "info",
    "impl",
}
LINES_AT_MOST = 300


def sources(*folders: str) -> list[Path]:
    """Every Python file below these folders."""
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in found if "__pycache__" not in path.parts]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> set[str]:
    """The dotted names a module imports outside `if TYPE_CHECKING`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_the_same_rooms(service: str) -> None:
    """A reader who knows one service finds their way in all four."""
    home = ROOT / "services" / service
    missing = [room for room in ROOMS if not (home / room).exists()]
    missing += [
        room
        for room in ROOMS_OR_PACKAGES
        if not ((home / f"{room}.py").exists() or (home / room / "__init__.py").exists())
    ]
    assert not missing, f"services/{service} lacks {missing}"


def test_the_top_level_is_the_agreed_one() -> None:
    """The places named in the README are there."""
    wanted = (
        "services",
        "protos",
        "gen",
        "chassis",
        "cli",
        "deploy",
        "tests",
        "docs",
        "Makefile",
        "README.md",
    )
    assert [name for name in wanted if not (ROOT / name).exists()] == []


def test_no_module_hides_behind_a_name_that_says_nothing() -> None:
    """A file's name says what lives there."""
    bad = [
        named(path)
        for path in sources("services", "chassis", "cli", "tests")
        if FORBIDDEN_WORDS & set(re.split(r"[_.]", path.stem))
    ]
    assert bad == []


def test_every_module_opens_with_one_sentence() -> None:
    """The first line of a module says what lives there."""
    bad = []
    for path in sources("services", "chassis", "cli", "tests"):
        text = path.read_text(encoding="utf-8")
        if not text.strip():
            continue
        opening = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0].strip()
        if not re.search(r"[.!?)`:]$", opening):
            bad.append(named(path))
    assert bad == []


def test_files_stay_short_enough_to_read() -> None:
    """A file that outgrows 300 lines becomes a package."""
    long = {
        named(path): count
        for path in sources("services", "chassis", "cli")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > LINES_AT_MOST
    }
    assert long == {}


@pytest.mark.parametrize("service", SERVICES)
def test_the_domain_knows_no_library(service: str) -> None:
    """A domain imports the standard library, the error tree and itself, nothing else."""
    allowed = {*sys.stdlib_module_names}
    bad = []
    for path in sources(f"services/{service}/domain"):
        for name in imports(path):
            ours = name.startswith((f"services.{service}.domain", "chassis.errors"))
            roots = {f"services.{service}", "services", "chassis"}
            if not ours and name not in roots and name.split(".")[0] not in allowed:
                bad.append(f"{named(path)} imports {name}")
    assert bad == []


def test_eventlet_lives_in_the_nameko_host_only() -> None:
    """grpcio and eventlet kill each other in one process, so one place may import nameko and eventlet."""
    guests = {
        named(path)
        for path in sources("services", "chassis", "cli")
        if any(name.split(".")[0] in {"nameko", "eventlet"} for name in imports(path))
    }
    strangers = {
        path for path in guests if not (path.startswith("chassis/hosts/") or path.endswith("__main__.py"))
    }
    assert strangers == set()


def test_the_command_line_of_nameko_is_never_imported() -> None:
    """`nameko.cli` needs a package that current setuptools no longer has."""
    bad = [
        named(path)
        for path in sources("services", "chassis", "cli", "tests")
        if any(name == "nameko.cli" or name.startswith("nameko.cli.") for name in imports(path))
    ]
    assert bad == []


def test_a_todo_names_its_issue() -> None:
    """A TODO without an issue number is a wish nobody will find again."""
    pattern = re.compile(r"\b(TODO|FIXME|XXX)\b(?!\(#\d+\))")
    bad = [
        f"{named(path)}:{number}"
        for path in sources("services", "chassis", "cli")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert bad == []


def test_every_test_says_one_sentence_of_truth() -> None:
    """Every test's docstring is what is true when it passes."""
    bad = []
    for path in sources("tests"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.FunctionDef)
                and node.name.startswith("test_")
                and not ast.get_docstring(node)
            ):
                bad.append(f"{named(path)}:{node.lineno} {node.name}")
    assert bad == []
