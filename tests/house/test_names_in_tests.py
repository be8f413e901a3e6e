"""What the tests take from our own modules is there: a name that moved fails here, at every `make check`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = ("chassis", "services", "cli", "tests")


def test_what_a_test_takes_from_our_modules_is_there() -> None:
    """Every name that a test imports from a module of ours, or asks such a module for, is defined in it."""
    missing = [
        f"{path.relative_to(ROOT)}: {module}.{name}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for module, name in _taken(ast.parse(path.read_text(encoding="utf-8")))
        if not _is_there(module, name)
    ]
    assert not missing, "\n".join(missing)


def test_a_name_that_moved_is_seen() -> None:
    """The check sees a name that is not there, by either way of asking."""
    text = "from chassis import money, nothing\nfrom chassis.errors import Refusal, Gone\nimport cli.main\ncli.main.x"
    asked = "from chassis import errors\n\ndef test() -> None:\n    errors.Kind\n    errors.Gone\n"
    taken = [*_taken(ast.parse(text)), *_taken(ast.parse(asked))]
    assert {name for module, name in taken if not _is_there(module, name)} == {
        "money",
        "nothing",
        "Gone",
        "x",
    }


def _taken(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Pairs of a module of ours and a name that the file takes from it."""
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and _is_ours(node.module):
            for alias in node.names:
                yield node.module, alias.name
                if _file_of(whole := f"{node.module}.{alias.name}"):
                    modules[alias.asname or alias.name] = whole
        elif isinstance(node, ast.Import):
            modules |= {
                alias.asname or alias.name: alias.name for alias in node.names if _is_ours(alias.name)
            }
    bound = _bound_again(tree) if modules else set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            module = ast.unparse(node.value) if isinstance(node.value, ast.Name | ast.Attribute) else ""
            if module in modules and module not in bound:
                yield modules[module], node.attr


def _bound_again(tree: ast.Module) -> set[str]:
    """Names that mean something else than the module somewhere in the file: arguments and variables."""
    arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    stored = (
        node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )
    return arguments | {node.id for node in stored}


def _is_there(module: str, name: str) -> bool:
    file = _file_of(module)
    if file is None or _file_of(f"{module}.{name}"):
        return file is not None
    return name.startswith("__") or name in _defined(file)


def _is_ours(module: str) -> bool:
    return module.split(".", maxsplit=1)[0] in OURS


@cache
def _file_of(module: str) -> Path | None:
    """The file of a module or package of ours; a folder without `__init__.py` is a package with nothing in it."""
    place = ROOT.joinpath(*module.split("."))
    for file in (place.with_suffix(".py"), place / "__init__.py"):
        if file.exists():
            return file
    return place if place.is_dir() else None


@cache
def _defined(file: Path) -> frozenset[str]:
    """The names a module has after it was read: what it defines, assigns or imports outside its functions."""
    if file.is_dir():
        return frozenset()
    names: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(file.read_text(encoding="utf-8"))]
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
            else:
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    names.add(node.id)
                waiting.append(node)
    return frozenset(names)
