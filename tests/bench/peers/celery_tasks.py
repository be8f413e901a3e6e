"""The peer with Celery: a task for each step, chained, on quorum queues with confirms and late acknowledgment.

Celery is no part of Kindred: it stays in an environment of its own, which `peers_bench` says how to make.
"""

from __future__ import annotations

import os
from functools import cache

from celery import Celery
from kombu import Queue
from steps import Steps

NAME = os.environ["PEER_DATABASE"]
app = Celery("peer", broker=os.environ["AMQP_URI"], broker_transport_options={"confirm_publish": True})
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    task_default_queue=NAME,
    task_queues=[Queue(NAME, durable=True, queue_arguments={"x-queue-type": "quorum"})],
    worker_detect_quorum_queues=True,
    worker_prefetch_multiplier=8,
)


@cache
def _steps() -> Steps:
    return Steps()


@app.task(name="match")
def match(referral_id: str) -> None:
    """Offers the referral, and hands each offer on."""
    for offer_id in _steps().match(referral_id):
        tell.delay(offer_id)


@app.task(name="tell")
def tell(offer_id: str) -> None:
    """Tells the specialist."""
    _steps().tell(offer_id)
