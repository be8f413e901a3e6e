"""What Kindred says of each file of ../shared/data/fhir and hl7v2, and why that is right: `make conformance`.

    python -m tests.conformance.report [--keep]

Exits with 1 where a verdict differs from the reviewed table (verdicts.json), or where a refusal names no rule.
`--keep` writes the table anew, for somebody who has read every line.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from tests.conformance.judging import fhir_files, hl7v2_files
from tests.conformance.judging.verdict import Comparison, Verdict, compared, keep

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
_NAME, _STANDARD, _REFERRAL = 62, 15, 14
_REASONS = 6


def verdicts(folder: Path = DATA) -> list[Verdict]:
    """Every file's verdict; empty where the data are absent."""
    return [*fhir_files.judge_all(folder), *hl7v2_files.judge_all(folder)]


def told(one: Verdict) -> list[str]:
    """The verdict as lines of the report."""
    name = one.file if len(one.file) < _NAME else "…" + one.file[1 - _NAME :]
    lines = [f"{name:<{_NAME}} {one.standard:<{_STANDARD}} {one.referral:<{_REFERRAL}} {one.about}".rstrip()]
    for reason in one.reasons[:_REASONS]:
        lines.append(
            f"    {reason.code} at {reason.place}\n        {reason.rule or 'NO RULE IS WRITTEN FOR THIS'}"
        )
    if len(one.reasons) > _REASONS:
        lines.append(f"    and {len(one.reasons) - _REASONS} more")
    return lines


def counted(found: list[Verdict]) -> list[str]:
    """How many files have each verdict."""
    pairs = Counter((one.standard, one.referral) for one in found)
    return [f"{count:>6}  {standard}, {referral}" for (standard, referral), count in pairs.most_common()]


def differences(found: Comparison) -> list[str]:
    """What is not as it was reviewed, in words."""
    lines = [
        f"DIFFERS  {name}\n    reviewed {was}\n    today    {now}"
        for name, (was, now) in found.differ.items()
    ]
    lines += [f"NEW      {name}: judged by the rules, not reviewed yet" for name in found.new]
    return lines + [f"GONE     {name}: reviewed once, not in the data now" for name in found.gone]


def main(arguments: list[str]) -> int:
    """Prints the report; 0 where it is as reviewed."""
    if not DATA.is_dir():
        print("../shared/data is not here: there are no files of others to judge.")
        return 0
    found = verdicts()
    print(f"{'file':<{_NAME}} {'standard':<{_STANDARD}} {'as a referral':<{_REFERRAL}} about")
    for one in found:
        print("\n".join(told(one)))
    if "--keep" in arguments:
        keep(found)
    comparison = compared(found)
    unruled = [one.file for one in found if not one.is_ruled()]
    print("", *counted(found), *differences(comparison), sep="\n")
    print(*(f"NO RULE  {name}" for name in unruled), sep="\n", end="\n" if unruled else "")
    print(
        f"{len(found)} judged, {len(comparison.differ)} differ from the reviewed table, {len(comparison.new)} new."
    )
    return 1 if comparison.differ or unruled else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
