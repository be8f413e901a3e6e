"""A roster of plainly fictional specialists, the same for the same seed, varied as real programmes are."""

import csv
import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

Row = dict[str, str]

COLUMNS = (
    "specialist_id", "role", "programme_id", "display_name", "email", "notice_language", "languages",
    "attributes", "agrees_to_private_use", "certifications", "modalities", "zip", "radius_miles", "shifts",
    "time_zone", "capacity",
)  # fmt: skip

PROGRAMMES = ("lantern-road", "harbor-walkers", "second-morning")
GIVEN = (
    "Ambrose", "Belinda", "Cosmo", "Dulcie", "Esperanza", "Fidel", "Gwendolyn", "Hamza", "Inocencia", "Jubal",
    "Kezia", "Leocadia", "Mirembe", "Nahuel", "Odalys", "Percival", "Quilla", "Rosalind", "Soledad", "Thandeka",
    "Ulises", "Valentina", "Wendell", "Xiomara", "Yusra", "Zebulon",
)  # fmt: skip
FAMILY = (
    "Applewick", "Bramblemoor", "Candlefield", "Dovecotter", "Elderwhistle", "Fernquist-Test", "Gooseberry",
    "Hollowhill", "Inkpenny", "Jasperlane", "Kettlebrook", "Lanternfield", "Marmaladov", "Nightingarden",
    "Oatsworthy", "Pebblecroft", "Quillfeather", "Rainwater-Sample", "Starlingate", "Thimbleton",
    "Umbrellini", "Velveteen", "Willowmere", "Yarrowsmith", "Zephyrine",
)  # fmt: skip

# Real ZIPs near the demonstration's (fictional) hospitals in New York State.
TOWNS: dict[str, tuple[str, ...]] = {
    "albany": ("12208", "12203", "12205", "12180", "12304", "12110"),
    "bronx": ("10451", "10453", "10456", "10458", "10467", "10029", "10032"),
    "buffalo": ("14203", "14209", "14215", "14220", "14150"),
    "rochester": ("14607", "14609", "14611", "14620"),
    "syracuse": ("13202", "13203", "13210", "13219"),
}
SHIFTS = (
    ("always", 44), ("mon-fri 22:00-06:00;sat 08:00-20:00", 8), ("mon-fri 07:00-15:00", 14),
    ("mon-fri 15:00-23:00", 14), ("sat 00:00-00:00;sun 00:00-00:00", 8), ("mon-sun 18:00-06:00", 12),
)  # fmt: skip
SUBSTANCES = (
    ("substance.opioids", 40), ("substance.alcohol", 30), ("substance.stimulants", 18),
    ("substance.sedatives", 6), ("substance.cannabis", 6),
)  # fmt: skip
PATHWAYS = ("pathway.medication", "pathway.abstinence", "pathway.harm-reduction", "pathway.mutual-aid")
CONDITIONS = (
    "mental-health.depression", "mental-health.anxiety", "mental-health.bipolar", "mental-health.psychosis",
    "mental-health.post-traumatic-stress", "mental-health.eating",
)  # fmt: skip
# Attribute and how many in a hundred have it.
LIVED = (
    ("overdose", 28), ("suicide.attempt", 14), ("suicide.loss", 6), ("bereavement.overdose-loss", 10),
    ("justice.incarceration", 24), ("homelessness", 22), ("trauma.partner-violence", 12),
    ("trauma.childhood", 18), ("parenting", 34), ("parenting.child-welfare", 9), ("parenting.pregnancy", 6),
    ("chronic-pain", 10), ("hiv", 4), ("family", 8),
)  # fmt: skip
FAITHS = ("faith.christian", "faith.christian.catholic", "faith.muslim", "faith.jewish", "faith.none")
BACKGROUNDS = (
    ("ethnicity.white", 38), ("ethnicity.black", 24), ("ethnicity.hispanic-latino", 24),
    ("ethnicity.asian", 6), ("ethnicity.american-indian-alaska-native", 5),
    ("ethnicity.middle-eastern-north-african", 3),
)  # fmt: skip
OTHER_LANGUAGES = (("fr:fluent", 3), ("ht:native", 3), ("zh:native", 3), ("ar:native", 2), ("ru:fluent", 3))


def specialists(count: int, seed: int) -> list[Row]:
    """`count` specialists and one supervisor for each programme, the same for the same seed."""
    dice = random.Random(seed)
    people = [_specialist(dice, number) for number in range(1, count + 1)]
    return people + [_supervisor(programme) for programme in PROGRAMMES]


def write(file: Path, rows: Sequence[Row]) -> None:
    """The roster as CSV, or as JSON lines where the file is named .jsonl."""
    with file.open("w", encoding="utf-8", newline="") as sink:
        if file.suffix == ".jsonl":
            sink.writelines(json.dumps({k: v for k, v in row.items() if v}) + "\n" for row in rows)
            return
        table = csv.DictWriter(sink, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def _specialist(dice: random.Random, number: int) -> Row:
    background = _one(dice, BACKGROUNDS)
    is_deaf = dice.random() < 0.05
    attributes = _attributes(dice, background, is_deaf)
    languages = _languages(dice, background, is_deaf)
    town = dice.choice([*TOWNS, "albany", "bronx"])
    specialist_id = f"sp-{number:04d}"
    return {
        "specialist_id": specialist_id,
        "role": "specialist",
        "programme_id": dice.choice(PROGRAMMES),
        "display_name": f"{dice.choice(GIVEN)} {dice.choice(FAMILY)}",
        "email": f"{specialist_id}@specialists.kindred.example",
        "notice_language": "es" if languages[0].startswith("es") else "en",
        "languages": ";".join(languages),
        "attributes": ";".join(
            f"{code}:{'released' if dice.random() < 0.85 else 'private'}" for code in attributes
        ),
        "agrees_to_private_use": "yes" if dice.random() < 0.6 else "no",
        "certifications": _certification(dice),
        "modalities": dice.choice(
            ("bedside;phone", "bedside;phone;video", "bedside;phone;video", "phone;video")
        ),
        "zip": dice.choice(TOWNS[town]),
        "radius_miles": str(dice.choice((10, 15, 20, 25, 40))),
        "shifts": _one(dice, SHIFTS),
        "time_zone": "America/New_York",
        "capacity": str(dice.choice((4, 5, 6, 8, 10))),
    }


def _attributes(dice: random.Random, background: str, is_deaf: bool) -> list[str]:
    chosen = [_one(dice, SUBSTANCES), dice.choice(PATHWAYS), background, dice.choice(FAITHS)]
    if dice.random() < 0.55:
        chosen += [dice.choice(CONDITIONS)] + (["co-occurring"] if dice.random() < 0.5 else [])
    chosen += [code for code, percent in LIVED if dice.random() * 100 < percent]
    if dice.random() < 0.16:
        chosen += ["military.veteran"] + (["military.combat"] if dice.random() < 0.5 else [])
    if dice.random() < 0.12:
        chosen.append(dice.choice(("lgbtq.gay-lesbian", "lgbtq.bisexual", "lgbtq.transgender")))
    if is_deaf:
        chosen += ["deaf.asl"]
    if background == "ethnicity.hispanic-latino" and dice.random() < 0.4:
        chosen.append("migration.immigrant")
    chosen.append(dice.choice(("age.young-adult", "age.adult", "age.adult", "age.older-adult")))
    chosen.append(
        dice.choice(("gender.woman", "gender.man", "gender.woman", "gender.man", "gender.nonbinary"))
    )
    return list(dict.fromkeys(chosen))


def _languages(dice: random.Random, background: str, is_deaf: bool) -> list[str]:
    if is_deaf:
        return ["ase:native", "en:fluent"]
    if background == "ethnicity.hispanic-latino":
        return ["es:native", "en:fluent"] if dice.random() < 0.8 else ["en:native"]
    extra = [dice.choice(("es:working", "es:fluent"))] if dice.random() < 0.1 else []
    extra += [tag for tag, percent in OTHER_LANGUAGES if dice.random() * 100 < percent]
    return ["en:native", *extra]


def _certification(dice: random.Random) -> str:
    payers = dice.choice(("any", "any", "medicaid+medicare", "medicaid+commercial+self-pay"))
    bands = dice.choice(("adult+older-adult+young-adult", "any", "adult+young-adult", "any"))
    ends = "2025-06-30" if dice.random() < 0.03 else "2030-12-31"
    return f"NY/{payers}/{bands}/2023-01-01/{ends}"


def _supervisor(programme: str) -> Row:
    supervisor = dict.fromkeys(COLUMNS, "")
    return supervisor | {
        "specialist_id": f"sup-{programme}",
        "role": "supervisor",
        "programme_id": programme,
        "display_name": f"Supervisor of {programme}",
        "email": f"{programme}@supervisors.kindred.example",
        "notice_language": "en",
        "languages": "en:native",
        "zip": "12208",
        "time_zone": "America/New_York",
    }


def _one(dice: random.Random, weighted: Iterable[tuple[str, int]]) -> str:
    names, weights = zip(*weighted, strict=True)
    return str(dice.choices(names, weights)[0])
