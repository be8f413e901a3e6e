"""The work of one referral as a team would write it without Kindred: four steps on MongoDB and SMTP, for every peer.

The referral is stored; three specialists are chosen, reserved and offered; each is told by mail; eight entries go into
an audit collection.  Every write waits for the majority and its journal, as Kindred's do.  What is left out: consent,
sealing, explained scores, clocks, signatures; a peer does less work than Kindred for each referral, not more.
"""

from __future__ import annotations

import os
import smtplib
import time
from email.message import EmailMessage
from typing import Any

from pymongo import MongoClient, ReturnDocument, WriteConcern
from pymongo.database import Database

SPECIALISTS = 500
OFFERS = 3
LANGUAGES = ("en", "es", "vi")
EXPERIENCES = tuple(f"experience-{number}" for number in range(12))


class Steps:
    """The four steps over one database and one mail server, which the environment names; one a process, or a thread."""

    def __init__(self) -> None:
        client: MongoClient[dict[str, Any]] = MongoClient(os.environ["MONGO_URI"])
        durable = WriteConcern("majority", j=True)
        self.database: Database[dict[str, Any]] = client.get_database(
            os.environ["PEER_DATABASE"], write_concern=durable
        )
        self._post: smtplib.SMTP | None = None

    def prepare(self) -> None:
        """A roster to choose from, with the index the choice needs."""
        rows = [
            {
                "_id": f"sp-{number:04}",
                "languages": [LANGUAGES[number % 3], LANGUAGES[(number + 1) % 3]],
                "experiences": [EXPERIENCES[(number * step) % 12] for step in (1, 5, 7)],
                "load": 0,
                "capacity": 1_000_000,
            }
            for number in range(SPECIALISTS)
        ]
        self.database.specialists.insert_many(rows)
        self.database.specialists.create_index([("languages", 1), ("load", 1)])
        self.database.offers.create_index("referral_id")

    def accept(self, referral: dict[str, Any]) -> str:
        """The referral is stored, and two entries say so; a referral that is there already stays as it is."""
        document = referral | {"state": "submitted", "accepted_at": time.time()}
        self.database.referrals.update_one({"_id": referral["_id"]}, {"$setOnInsert": document}, upsert=True)
        self.note(referral["_id"], "submitted", "read")
        return referral["_id"]

    def match(self, referral_id: str) -> list[str]:
        """Three specialists who speak the language and share the most are reserved and offered."""
        referral = self.database.referrals.find_one({"_id": referral_id})
        assert referral is not None
        shared = {"$size": {"$setIntersection": ["$experiences", referral["experiences"]]}}
        chosen = self.database.specialists.aggregate(
            [
                {"$match": {"languages": referral["language"], "$expr": {"$lt": ["$load", "$capacity"]}}},
                {"$addFields": {"shared": shared}},
                {"$sort": {"shared": -1, "load": 1, "_id": 1}},
                {"$limit": OFFERS},
            ]
        )
        return [self._offer(referral_id, one["_id"]) for one in chosen]

    def _offer(self, referral_id: str, specialist_id: str) -> str:
        self.database.specialists.find_one_and_update(
            {"_id": specialist_id, "$expr": {"$lt": ["$load", "$capacity"]}},
            {"$inc": {"load": 1}},
            return_document=ReturnDocument.AFTER,
        )
        offer = {
            "_id": f"{referral_id}/{specialist_id}",
            "referral_id": referral_id,
            "offered_at": time.time(),
        }
        self.database.offers.update_one({"_id": offer["_id"]}, {"$setOnInsert": offer}, upsert=True)
        self.note(referral_id, "offered")
        return str(offer["_id"])

    def tell(self, offer_id: str) -> None:
        """The specialist has a mail; that it is on its way is stored before, that it went after."""
        notices = self.database.notices
        notices.update_one({"_id": offer_id}, {"$set": {"state": "sending"}}, upsert=True)
        letter = EmailMessage()
        letter["From"], letter["To"], letter["Subject"] = (
            "peers@example.org",
            "one@example.org",
            "You have news",
        )
        letter["X-Offer"] = offer_id
        letter.set_content("Somebody would be glad of your answer.  Open your page to read more.\n" * 6)
        if self._post is None:
            self._post = smtplib.SMTP("127.0.0.1", int(os.environ["PEER_SMTP_PORT"]))
        self._post.send_message(letter)
        notices.update_one({"_id": offer_id}, {"$set": {"state": "sent", "sent_at": time.time()}})
        self.note(offer_id.split("/", maxsplit=1)[0], "told")

    def note(self, referral_id: str, *deeds: str) -> None:
        """Entries of the audit collection."""
        self.database.audit.insert_many(
            [{"referral_id": referral_id, "deed": deed, "at": time.time()} for deed in deeds]
        )


def a_referral(number: str) -> dict[str, Any]:
    """A referral of about the size that a hospital sends."""
    position = sum(number.encode())
    return {
        "_id": number,
        "language": LANGUAGES[position % 3],
        "experiences": [EXPERIENCES[(position + step) % 12] for step in (0, 3, 5)],
        "text": "A plainly fictional person waits for somebody who has walked the same road. " * 30,
    }
