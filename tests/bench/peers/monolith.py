"""The peer as one program: a loop that wakes each second, takes what is new, and does all of it before it sleeps again.

A cron entry wakes each minute; a second is kind to it.
"""

from __future__ import annotations

import sys
import time

from steps import Steps

WAKES_S = 1.0


def main() -> None:
    """Runs until it is ended."""
    steps = Steps()
    print("ready", flush=True)
    while True:
        waiting = (
            steps.database.referrals.find({"state": "submitted"}, {"_id": 1})
            .sort("accepted_at", 1)
            .limit(500)
        )
        for referral in list(waiting):
            for offer_id in steps.match(referral["_id"]):
                steps.tell(offer_id)
            steps.database.referrals.update_one({"_id": referral["_id"]}, {"$set": {"state": "offered"}})
        time.sleep(WAKES_S)


if __name__ == "__main__":
    sys.exit(main())
