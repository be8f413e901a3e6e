"""One worker under one host beside our own broker and database, for the fault tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bus_driving import Post, Subject, a_service, subject_environ, until

HOSTS = ("nameko", "threads")


@dataclass
class WorkerStage:
    """A worker, its inbox, its database."""

    host: str
    post: Post
    subject: Subject
    database: Any

    def effects(self) -> set[str]:
        """The events that have had their effect."""
        return {row["_id"].removeprefix("eff_") for row in self.database["effects"].find({}, {"_id": 1})}

    def wait_all(self, event_ids: Sequence[str], within_s: float, *, supervise: bool = False) -> None:
        """Every event has its effect; `supervise` starts the process again whenever it is dead."""

        def missing() -> set[str]:
            if supervise:
                self.subject.keep_alive()
            return set(event_ids) - self.effects()

        until(f"{self.host}: every event has its effect", lambda: not missing(), within_s)

    def wait_empty(self, within_s: float = 20.0) -> None:
        """Nothing is left in the inbox, neither ready nor unanswered."""
        self.subject.stop()
        until(f"{self.host}: the inbox is empty", lambda: self.post.depth() == 0, within_s)


@contextmanager
def worker_stages(
    own: Any, client: Any, folder: Path, hosts: Sequence[str] = HOSTS, **policy: float
) -> Iterator[list[WorkerStage]]:
    """One stage per host, not started yet, so that one fault is seen by both at once."""
    with ExitStack() as stack:
        stages = []
        for host in hosts:
            service = a_service()
            database = client[f"kindred_fault_{service}"]
            environ = subject_environ(
                host,
                service,
                mongo_uri=own.mongo_uri,
                amqp_uri=own.amqp_uri,
                database=database.name,
                keys=folder,
                **policy,
            )
            post = stack.enter_context(Post(own.amqp_uri, service))
            subject = Subject(environ, folder / f"{service}.log")
            stages.append(WorkerStage(host, post, subject, database))
            stack.callback(client.drop_database, database.name)
            stack.callback(subject.stop)
        yield stages
