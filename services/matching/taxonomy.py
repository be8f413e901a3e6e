"""Reads the taxonomy of attributes that all services share (the package `kindred.taxonomy`)."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

from services.matching.domain.attributes import Attribute, Taxonomy

FILE = resources.files("kindred.taxonomy") / "taxonomy.v1.json"


@cache
def read() -> Taxonomy:
    """The taxonomy this version was shipped with."""
    document = json.loads(FILE.read_text(encoding="utf-8"))
    attributes = {
        row["code"]: Attribute(row["code"], row["parent"], row["kind"], row["label"])
        for row in document["attributes"]
    }
    return Taxonomy(document["version"], attributes)
