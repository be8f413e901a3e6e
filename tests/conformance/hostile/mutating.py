"""Sendings spoiled at random, each from its own seed: of the tree, of the bytes, and of the words around them."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.bundles import a_bundle

Tree = Any
Path = tuple[Any, ...]
JSON = "application/fhir+json"


@dataclass(frozen=True)
class Sending:
    """One request, ready to be sent."""

    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def deep(times: int, shape: str = "list") -> Tree:
    """Something nested so often."""
    made: Tree = "x"
    for _ in range(times):
        made = [made] if shape == "list" else {"url": "urn:deep", "extension": [made]}
    return made


JUNK: tuple[Callable[[random.Random], Tree], ...] = (
    lambda _: None,
    lambda _: [],
    lambda _: {},
    lambda _: "",
    lambda _: " \t\n",
    lambda _: [None],
    lambda _: [[[]]],
    lambda _: True,
    lambda _: -1,
    lambda _: 0.1,
    lambda _: 10**30,
    lambda _: -(2**63),
    lambda _: 1e308,
    lambda _: "\x00",
    lambda _: "\ud800",
    lambda _: "\u202etxet",
    lambda _: "é" * 3,
    lambda _: "x" * 70_000,
    lambda _: "$where",
    lambda _: "'; DROP TABLE referrals; --",
    lambda _: "<script>alert(1)</script>",
    lambda _: "../../etc/passwd",
    lambda _: "9999-12-31T23:59:60.999999999+14:00",
    lambda _: "0001-01-01T00:00:00-14:00",
    lambda _: "2024-02-29",
    lambda _: "#",
    lambda _: "urn:uuid:patient",
    lambda _: "Patient/" + "a" * 64,
    lambda _: "Patient?identifier=x|y",
    lambda _: {"reference": "#self"},
    lambda _: {"$gt": ""},
    lambda _: {"resourceType": "Bundle"},
    lambda _: {"extension": [{"url": "urn:x", "valueString": "x"}]},
    lambda _: {"coding": [{"system": "http://snomed.info/sct", "code": "1" * 200}]},
    lambda chance: deep(chance.choice((3, 39, 41, 300, 900))),
    lambda chance: deep(chance.choice((3, 39, 41, 300, 470)), "extension"),
    lambda chance: [{"a": 1}] * chance.choice((2, 2_000)),
    lambda chance: "".join(chr(chance.randrange(1, 0x2FFF)) for _ in range(20)),
)
KEYS = (
    "resourceType", "id", "extension", "modifierExtension", "contained", "_birthDate", "implicitRules", "meta", "text",
    "__proto__", "$where", "a.b", "", "\x00", "x" * 300, "valueString", "identifier", "status", "period", "fullUrl",
)  # fmt: skip


def places(tree: Tree, at: Path = ()) -> Iterator[Path]:
    """Every place in the tree but its root."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in inner:
        yield (*at, key)
        yield from places(value, (*at, key))


def _home(tree: Tree, at: Path) -> Tree:
    for key in at[:-1]:
        tree = tree[key]
    return tree


def _replace(tree: Tree, at: Path, chance: random.Random) -> None:
    _home(tree, at)[at[-1]] = chance.choice(JUNK)(chance)


def _remove(tree: Tree, at: Path, _: random.Random) -> None:
    del _home(tree, at)[at[-1]]


def _wrap(tree: Tree, at: Path, _: random.Random) -> None:
    home = _home(tree, at)
    home[at[-1]] = [home[at[-1]]]


def _unwrap(tree: Tree, at: Path, _: random.Random) -> None:
    home = _home(tree, at)
    value = home[at[-1]]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    home[at[-1]] = next(iter(inner), None)


def _repeat(tree: Tree, at: Path, chance: random.Random) -> None:
    home = _home(tree, at)
    if isinstance(home, list):
        home.extend(copy.deepcopy(home[at[-1]]) for _ in range(chance.choice((1, 1, 50))))
    else:
        home[str(at[-1]) + chance.choice(("_", "2", "[x]"))] = home[at[-1]]


def _add(tree: Tree, at: Path, chance: random.Random) -> None:
    home = _home(tree, at)
    if isinstance(home, dict):
        home[chance.choice(KEYS)] = chance.choice(JUNK)(chance)
    else:
        home.insert(chance.randrange(len(home) + 1), chance.choice(JUNK)(chance))


def _swap(tree: Tree, at: Path, chance: random.Random) -> None:
    other = chance.choice(list(places(tree)))
    taken = copy.deepcopy(_home(tree, other)[other[-1]])
    _home(tree, at)[at[-1]] = taken


# What is valid where it stands, or nearly, and means something else: it gets past the validator, to those behind it.
PLAUSIBLE = (
    "draft", "completed", "entered-in-error", "revoked", "on-hold", "deny", "permit", "plan", "proposal", "routine",
    "asap", "unknown", "rejected", "inactive", "female", "es", "zh-Hant-TW", "1899-12-31", "2024-02", "1988",
    "2099-01-01T00:00:00Z", "2020-01-01T00:00:00+14:00", "0999-06-01", "not-a-code", "T40.1X1A", "F11.20", "EMER",
    "urn:uuid:patient", "urn:uuid:encounter", "urn:uuid:consent", "#patient", "Patient/1", "urn:oid:2.999.1", "phone",
    "MRN-1", "V-1", "Marlowe", "+1 518 555 0100", "er@x.example", "x@", "00000", "12208-1234", "\u00c5ngstr\u00f6m",
)  # fmt: skip


def _mean_other(tree: Tree, at: Path, chance: random.Random) -> None:
    home = _home(tree, at)
    value = home[at[-1]]
    if isinstance(value, str):
        home[at[-1]] = chance.choice(PLAUSIBLE)
    elif isinstance(value, bool):
        home[at[-1]] = not value
    elif isinstance(value, list):
        chance.shuffle(value)
    elif isinstance(value, dict) and len(value) > 1 and chance.random() < 0.5:
        value.pop(chance.choice(list(value)))


OF_THE_TREE = (
    *(_mean_other,) * 5, _replace, _replace, _replace, _remove, _remove, _wrap, _unwrap, _repeat, _add, _add, _swap,
)  # fmt: skip


def spoiled_tree(tree: Tree, chance: random.Random) -> Tree:
    """A copy of the tree with one to four things done to it."""
    made = copy.deepcopy(tree)
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4))):
        found = list(places(made))
        if found:
            chance.choice(OF_THE_TREE)(made, chance.choice(found), chance)
    return made


def spoiled_bytes(raw: bytes, chance: random.Random) -> bytes:
    """The bytes, cut, flipped, doubled, or with something put between them."""
    at = chance.randrange(len(raw) + 1)
    put = chance.choice(
        (
            b"\xff",
            b"\x00",
            b"NaN",
            b"1e999",
            b"-",
            b'"',
            b"{",
            b"}",
            b"[" * 5_000,
            b'"a":1,"a":2,',
            b"\xed\xa0\x80",
            b"//",
        )
    )
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: raw[:at],
        lambda: raw[:at] + put + raw[at:],
        lambda: raw[:at] + raw[at + 1 :],
        lambda: raw + raw,
        lambda: b"\xef\xbb\xbf" + raw,
        lambda: raw.decode().encode("utf-16"),
        lambda: raw[:at] + bytes(chance.randrange(256) for _ in range(8)) + raw[at:],
        lambda: raw.replace(b'"Patient"', b'"Patient","resourceType":"Group"', 1),
        lambda: raw.replace(b": ", b":" + b" " * 2_000, 3),
    )
    return chance.choice(ways)()


HEADERS = {
    "Content-Type": (JSON, JSON, "application/json", "text/xml", "", f"{JSON}; charset=latin-1", "x" * 300),
    "Prefer": ("return=minimal", "return=OperationOutcome", "return=representation", "respond-async", ";=,"),
    "If-None-Exist": ("identifier=urn:s|1", "identifier", "", "a=b&a=b", "%zz", "_id=" + "x" * 400),
    "If-Match": ('W/"1"', "*", '"', "W/", 'W/"' + "9" * 40 + '"'),
    "Accept": (JSON, "*/*", "application/fhir+xml", "", ";;", "text/html"),
    "X-Purpose-Of-Use": ("TREAT", "", "HRESCH", "x" * 200),
    "X-Request-Id": ("r-1", "a b", "x" * 500),
    "traceparent": ("00-" + "1" * 32 + "-" + "1" * 16 + "-01", "garbage"),
}
PATHS = (
    *("/fhir",) * 4, "/fhir/ServiceRequest", "/fhir/Task", "/fhir/Bundle/$validate", "/fhir/ServiceRequest/$validate",
    "/fhir/Task/$validate", "/fhir?_format=xml", "/fhir/?_format=json",
)  # fmt: skip


def a_tree(number: int, chance: random.Random) -> tuple[str, Tree]:
    """A good sending before it is spoiled, and where it would go: a Bundle, an order, or a Task with its order."""
    kind = chance.choice(("transaction", "transaction", "collection"))
    made = a_bundle(f"fuzz-{number}", kind=kind)
    if chance.random() < 0.7:
        return "/fhir", made
    contained = []
    for entry in made["entry"]:
        one = dict(entry["resource"], id=entry["fullUrl"].removeprefix("urn:uuid:"))
        contained.append(one)
    text = json.dumps(contained).replace("urn:uuid:", "#")
    parts = json.loads(text)
    order = next(one for one in parts if one["resourceType"] == "ServiceRequest")
    order["supportingInfo"] = [{"reference": "#consent"}, {"reference": "#condition"}]
    others = [one for one in parts if one is not order]
    if chance.random() < 0.5:
        return "/fhir/ServiceRequest", order | {"contained": others}
    task = {
        "resourceType": "Task", "status": "requested", "intent": "order", "contained": [*others, order],
        "focus": {"reference": "#" + order["id"]}, "for": order["subject"],
    }  # fmt: skip
    return "/fhir/Task", task


def a_sending(seed: int, number: int) -> Sending:
    """The sending with this number: the same one whenever it is asked for."""
    chance = random.Random(f"{seed}/{number}")
    path, tree = a_tree(number, chance)
    if chance.random() < 0.95:
        tree = spoiled_tree(tree, chance)
    raw = json.dumps(tree).encode()
    if chance.random() < 0.2:
        raw = spoiled_bytes(raw, chance)
    headers = {"Content-Type": JSON}
    for name in chance.sample(list(HEADERS), chance.choice((0, 0, 0, 1, 2, 4))):
        headers[name] = chance.choice(HEADERS[name])
    return Sending(chance.choice(PATHS) if chance.random() < 0.1 else path, raw, headers)
