"""The gRPC door: threads, limits, certificates, health and reflection; grpc_calls.py is what surrounds each call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
from google.protobuf import descriptor_pool
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from chassis import answers, logs, tls
from chassis.grpc_calls import Around, TokenReading, door_of
from chassis.live_streams import LiveStreams
from chassis.policy import Policy, ours
from chassis.shares import Shares

KEEPALIVE_MS = 60_000
GRACE_S = 20.0
log = logs.get()


class GrpcSettings(Protocol):
    """The settings this door reads."""

    @property
    def grpc_address(self) -> str: ...
    @property
    def max_body_bytes(self) -> int: ...
    @property
    def organization_per_s(self) -> float: ...
    @property
    def grpc_tls_cert(self) -> str: ...
    @property
    def grpc_tls_ca(self) -> str: ...


@dataclass(frozen=True)
class GrpcService:
    """One service to serve: its full proto name, the generated function that adds it, and the servicer."""

    full_name: str
    add: Callable[[Any, Any], None]
    servicer: object


def build_server(
    settings: GrpcSettings,
    *,
    services: Sequence[GrpcService],
    tokens: TokenReading,
    on_denied: answers.OnDenied,
    threads: int = 32,
    concurrent: int = 96,
    policy: Policy | None = None,
) -> KindredGrpcServer:
    """A server bound to the settings' address and not yet started.

    At most `concurrent` calls are in the process; more are answered RESOURCE_EXHAUSTED at once.
    Each method asks `policy` first, ours where none is named.
    Raises RuntimeError where the address cannot be bound, and DoorWithoutPolicy for a method that no line speaks of.
    """
    pool = _Pool(threads, thread_name_prefix="grpc")
    shares = Shares(threads, settings.organization_per_s, is_crowded=lambda: pool.waiting > threads // 4)
    policy = policy or ours()
    for service in services:
        _must_be_known(service.full_name, policy)
    around = Around(frozenset(service.full_name for service in services), tokens, on_denied, shares, policy)
    server = grpc.server(
        pool,
        interceptors=[around],
        options=_options(settings.max_body_bytes),
        maximum_concurrent_rpcs=concurrent,
    )
    for service in services:
        service.add(service.servicer, server)
    names = [service.full_name for service in services]
    watches = health.HealthServicer(
        experimental_non_blocking=True,
        experimental_thread_pool=ThreadPoolExecutor(2, thread_name_prefix="health"),
    )
    health_pb2_grpc.add_HealthServicer_to_server(watches, server)
    reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    port = _port(server, settings)
    return KindredGrpcServer(server, watches, names, port, around.live)


def _must_be_known(service: str, policy: Policy) -> None:
    try:
        methods = descriptor_pool.Default().FindServiceByName(service).methods
    except KeyError:
        return  # of no proto: its methods are asked for when they are called
    for method in methods:
        policy.rows(door_of(f"{service}/{method.name}"))


def _port(server: grpc.Server, settings: GrpcSettings) -> int:
    named = tls.files(settings.grpc_tls_cert, settings.grpc_tls_ca)
    if named is None:
        return server.add_insecure_port(settings.grpc_address)
    return server.add_secure_port(settings.grpc_address, tls.server_credentials(named))


def _options(max_body_bytes: int) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", max_body_bytes),
        ("grpc.max_send_message_length", max_body_bytes),
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        # Clients may ping as often as ours do (60 s), with room for their clocks; more is answered GOAWAY.
        ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_MS // 2),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", KEEPALIVE_MS // 2),
        # Long-lived connections come back now and then, so that new replicas get their share.
        ("grpc.max_connection_age_ms", 30 * 60_000),
        ("grpc.max_connection_age_grace_ms", 30_000),
        ("grpc.so_reuseport", 0),
    ]


class KindredGrpcServer:
    """A server that can be started once and stopped gently."""

    def __init__(
        self,
        server: grpc.Server,
        watches: health.HealthServicer,
        names: Sequence[str],
        port: int,
        live: LiveStreams,
    ) -> None:
        self._server, self._live = server, live
        self._health = watches
        self._names = ["", *names]
        self.port = port

    def start(self) -> None:
        """Calls are served and health says SERVING."""
        self._server.start()
        for name in self._names:
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    def stop(self, grace_s: float = GRACE_S) -> None:
        """Health says NOT_SERVING first; new calls and live streams get UNAVAILABLE; others have `grace_s` to end."""
        self._health.enter_graceful_shutdown()
        self._live.stop()
        self._server.stop(grace_s).wait(grace_s + 5.0)


class _Pool(ThreadPoolExecutor):
    """A thread pool that says how many calls wait for a thread."""

    def __init__(self, threads: int, thread_name_prefix: str) -> None:
        super().__init__(threads, thread_name_prefix)
        self.waiting = 0
        self._counting = threading.Lock()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As in the base class; a call waits from here until its thread begins."""
        self._count(1)

        def begun() -> Any:
            self._count(-1)
            return fn(*args, **kwargs)

        return super().submit(begun)

    def _count(self, change: int) -> None:
        with self._counting:
            self.waiting += change
