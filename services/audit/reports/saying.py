"""A report's row as a person reads it: each code in words of their language, the code beside where it is looked up."""

from __future__ import annotations

from services.audit.reports.catalog import WORDS

Row = dict[str, str]


def in_words(row: Row, reader: str) -> Row:
    """The row with role, purpose, record, reason and figures in words; what has no word stays the code it is."""
    words = WORDS[reader]
    said = dict(row)
    if code := row.get("role", ""):
        said["role"] = words.get(f"role.{code}", code)
    if row.get("purpose"):
        said["purpose"] = _purposes(row["purpose"], reader)
    if row.get("record"):
        kind, _, record_id = row["record"].partition(" ")
        said["record"] = " ".join(part for part in (words.get(f"record.{kind}", kind), record_id) if part)
    if code := row.get("why", ""):
        said["why"] = words.get(f"because.{code}", code)
    if row.get("figures"):
        said["figures"] = ", ".join(_figure(one, reader) for one in row["figures"].split(", "))
    return said


def _purposes(text: str, reader: str) -> str:
    """ "TREAT" is "treatment (TREAT)"; of "BTG unconscious" the second word is a reason's code and stays."""
    code, _, rest = text.partition(" ")
    word = WORDS[reader].get(f"purpose.{code}")
    return f"{word} ({text})" if word else " ".join(part for part in (code, rest) if part)


def _figure(text: str, reader: str) -> str:
    name, colon, value = text.partition(": ")
    return f"{WORDS[reader].get(f'figure.{name}', name)}{colon}{value}"
