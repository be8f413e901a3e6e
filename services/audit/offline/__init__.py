"""The verifier that strangers run: written in three parts here, one file in every export."""

from __future__ import annotations

from pathlib import Path

_PARTS = ("proofs", "notes", "export")
_HEADER = """Verifies an export of Kindred's audit log, offline: needs this file, Python 3.9 or newer, and `cryptography`.

    python EXPORT.zip                                 what the export says, and whether it is proven
    python verify.py EXPORT.zip                       the same, with a verifier from elsewhere
    python verify.py EXPORT.zip --policy FILE         believe these keys, not those that came in the export
    python verify.py EXPORT.zip --remember FOLDER     compare with what was seen before, and remember this
    python verify.py ONE.zip OTHER.zip                do two exports show one history?

Exit code 0: everything is proven.  1: something is not.  2: nothing was looked at (wrong usage, no such file, no zip
file).  3: two histories of one log were signed: the evidence is printed, and each part of it verifies by itself (C2SP
signed-note, tlog-cosignature, RFC 6962).
"""


def program() -> str:
    """The three parts as one program that imports nothing of ours."""
    imports: set[str] = set()
    bodies: list[str] = []
    for part in _PARTS:
        text = (Path(__file__).parent / f"{part}.py").read_text(encoding="utf-8")
        head, future, rest = text.partition("from __future__ import annotations\n")
        assert head and future
        lines = rest.split("\n")
        at = next(n for n, line in enumerate(lines) if line and not line.startswith(("import ", "from ")))
        imports |= {line for line in lines[:at] if line and "services.audit" not in line}
        bodies.append("\n".join(lines[at:]).strip())
    head = f'"""{_HEADER}"""\n\nfrom __future__ import annotations\n\n'
    return head + "\n".join(sorted(imports)) + "\n\n" + "\n\n\n".join(bodies) + "\n"
