"""The same ranking as one MongoDB aggregation over documents made for it: what a database alone would do."""

from __future__ import annotations

import os
import secrets
import statistics
import time
from collections.abc import Sequence
from typing import Any

from pymongo import MongoClient

from services.matching.domain import place
from services.matching.domain.rank import Entry
from services.matching.domain.rules import Question
from services.matching.domain.score import Scale
from services.matching.domain.specialist import MODALITIES
from services.matching.ranking import RosterIndex

Document = dict[str, Any]
_AT_ONCE = 5_000


def compare(people: Sequence[Entry], wanted: Sequence[tuple[Question, Scale]], index: RosterIndex) -> None:
    """Prints how long MongoDB takes, by the clock, for the ids the index names; asserts that they are the same."""
    # Not the services' client: at a million an answer takes longer than they would wait.
    client: MongoClient[Document] = MongoClient(os.environ["MONGO_URI"], tz_aware=True)
    roster = client[f"kindred_bench_{secrets.token_hex(4)}"]["roster"]
    for start in range(0, len(people), _AT_ONCE):
        roster.insert_many([_document(*entry, wanted[0][0]) for entry in people[start : start + _AT_ONCE]])
    roster.create_index([("on", 1), ("certifications.state", 1)])
    times, ours = [], []
    for question, scale in wanted:
        pipeline = _pipeline(question, scale)
        began = time.perf_counter()
        found = [one["_id"] for one in roster.aggregate(pipeline, allowDiskUse=False)]
        times.append((time.perf_counter() - began) * 1000)
        began = time.perf_counter()
        ids = index.propose(question, scale, 10).specialist_ids
        ours.append((time.perf_counter() - began) * 1000)
        assert tuple(found) == ids, (found, ids)
    median, index_ms = statistics.median(times), statistics.median(ours)
    print(
        f"  the same {len(wanted)} as a MongoDB aggregation, the same ids: {median:,.1f} ms median by the clock, "
        f"the index {index_ms:.3f} ms by the clock ({median / index_ms:,.0f} times)",
        flush=True,
    )
    client.drop_database(roster.database.name)


def _document(specialist: Any, standing: Any, asked: Question) -> Document:
    """What an aggregation needs; whether they are on shift at the moment is told to it, for it cannot know."""
    here = specialist.place
    certifications = [
        {
            "state": one.state,
            "payers": sorted(one.payers),
            "ages": sorted(one.age_bands),
            "from": one.span(specialist.shifts.time_zone)[0],
            "until": one.span(specialist.shifts.time_zone)[1],
        }
        for one in specialist.certifications
    ]
    return {
        "_id": specialist.specialist_id,
        "on": specialist.is_available(asked.at, is_immediate=True),
        "at": [here.x, here.y, here.z],
        "radius": place.reach_squared(specialist.radius_miles),
        "transport": specialist.transport,
        "ways": sorted(specialist.modalities),
        "languages": dict(specialist.languages),
        "released": sorted(specialist.released),
        "avoidable": sorted(specialist.avoidable),
        "certifications": certifications,
        "load": standing.load_milli,
        "open": standing.open_milli,
        "capacity": standing.capacity_milli,
        "waiting": standing.waiting_since,
    }


def _pipeline(asked: Question, scale: Scale) -> list[Document]:
    must, avoid = sorted(asked.must), sorted(asked.avoid)
    match: Document = {
        "on": True,
        "_id": {"$nin": sorted(asked.excluded_ids | asked.asked_ids)},
        "$or": [{f"languages.{tag}": {"$gte": asked.least_level}} for tag in asked.languages] or [{}],
        "certifications": {"$elemMatch": _certified(asked)},
        "$expr": {"$lte": [{"$add": ["$load", asked.weight_milli]}, "$capacity"]},
    }
    if must:
        match["released"] = {"$all": must}
    if avoid:
        match["avoidable"] = {"$nin": avoid}
    return [
        {"$match": match},
        {"$set": {"chord": _chord(asked)}},
        {"$set": {"comes": _comes(asked)}},
        {"$match": {"$or": [{"comes": True}, {"ways": {"$in": _elsewhere(asked)}}]}},
        {"$set": {"score": {"$add": [*_attributes(scale), _spoken(scale), _close(scale), _free(scale)]}}},
        {"$set": {"likely": {"$add": ["$load", "$open"]}}},
        {"$sort": {"score": -1, "likely": 1, "waiting": 1, "_id": 1}},
        {"$limit": 10},
        {"$project": {"_id": 1}},
    ]


def _certified(asked: Question) -> Document:
    fits: Document = {"from": {"$lte": asked.at}, "until": {"$gt": asked.at}}
    wanted = {"payers": asked.payer, "ages": asked.age_band, "state": asked.state}
    return fits | {name: value for name, value in wanted.items() if value}


def _chord(asked: Question) -> Document:
    here = asked.need.source_place
    assert here is not None
    axes = enumerate((here.x, here.y, here.z))
    squares = [{"$pow": [{"$subtract": [{"$arrayElemAt": ["$at", n]}, value]}, 2]} for n, value in axes]
    return {"$add": squares}


def _comes(asked: Question) -> Document:
    branches = [
        {"case": {"$eq": ["$transport", name]}, "then": {"$lte": ["$chord", reach]}}
        for name, reach in asked.bedside_reach.items()
    ]
    in_time = {"$switch": {"branches": branches, "default": False}}
    can = {"$in": ["bedside", "$ways"]} if "bedside" in asked.modalities else False
    return {"$and": [can, {"$lte": ["$chord", "$radius"]}, in_time]}


def _elsewhere(asked: Question) -> list[str]:
    return [name for name in MODALITIES if name != "bedside" and name in asked.modalities]


def _attributes(scale: Scale) -> list[Document]:
    return [
        {"$cond": [{"$in": [term.code.split(":", 1)[1], "$released"]}, term.points_milli, 0]}
        for term in scale.attributes
    ]


def _spoken(scale: Scale) -> Document:
    return {
        "$max": [
            {"$arrayElemAt": [list(points), {"$ifNull": [f"$languages.{tag}", 0]}]}
            for tag, points in scale.languages
        ]
        or [0]
    }


def _close(scale: Scale) -> Document:
    steps = [{"case": {"$lte": ["$chord", limit]}, "then": points} for limit, points in scale.closeness]
    return {"$cond": ["$comes", {"$switch": {"branches": steps, "default": 0}}, 0]}


def _free(scale: Scale) -> Document:
    free = {"$max": [{"$subtract": ["$capacity", {"$add": ["$load", "$open"]}]}, 0]}
    share = {"$divide": [{"$multiply": [scale.capacity_points, free]}, {"$max": ["$capacity", 1]}]}
    return {"$floor": share}
