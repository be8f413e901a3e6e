"""Calling a service of ours over gRPC: one channel with identity, trace, keepalive and careful retries.

Only `api` processes, the CLI and tests call; a worker never does (RELIABILITY, finding 2).
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import grpc

from chassis import telemetry, tls

READ_S = 2.0
WRITE_S = 5.0
_MAX_MESSAGE_BYTES = 4_000_000
# Only UNAVAILABLE says that nothing was started; throttling stops a crowd of retries from keeping a server down.
# grpc's core tells CANCELLED to a call that arrived in the very moment a server stops and was never given to a method
# (about 1 stop in 10 under load here): it was not started either. A call that its own caller cancels is not retried.
# Of the addresses a name or a list has, each gets its turn, and one that does not answer is passed over.
_SERVICE_CONFIG = json.dumps(
    {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.2s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
                },
            }
        ],
        "retryThrottling": {"maxTokens": 20, "tokenRatio": 0.5},
    }
)
_OPTIONS = [
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.enable_retries", 1),
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
]


def target(address: str) -> tuple[str, list[tuple[str, str]]]:
    """What grpc calls an address, and with which options.

    `address` is "host:port", "dns:///name:port" for every address of a name, or the numeric addresses of several
    replicas joined by commas; their certificates are good for the first one's host.
    """
    if "," not in address:
        return address, []
    return f"ipv4:{address}", [("grpc.default_authority", address.partition(",")[0])]


def channel(
    address: str,
    *,
    token: str = "",
    purpose: str = "",
    correlation_id: str = "",
    named: tls.Files | None = None,
) -> grpc.Channel:
    """A channel to `address` (see `target`) whose every call carries the caller's token, purpose of use and trace.

    With `named` both sides show a certificate; raises OSError where the files cannot be read.
    A unary call without a time-out gets 5 s (`WRITE_S`), because our servers refuse calls without a deadline.
    Close it, or use it in a `with`.
    """
    where, more = target(address)
    options = [*_OPTIONS, *more]
    opened = (
        grpc.secure_channel(where, tls.channel_credentials(named), options=options)
        if named
        else grpc.insecure_channel(where, options=options)
    )
    return grpc.intercept_channel(opened, _Identity(token, purpose, correlation_id))


class _Details(NamedTuple):
    method: str
    timeout: float | None
    metadata: Any
    credentials: Any
    wait_for_ready: Any
    compression: Any


class _Identity(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    def __init__(self, token: str, purpose: str, correlation_id: str) -> None:
        sent = {
            "authorization": f"Bearer {token}" if token else "",
            "x-purpose-of-use": purpose,
            "x-request-id": correlation_id,
        }
        self._sent = [(name, value) for name, value in sent.items() if value]

    def _with(self, details: Any, timeout_s: float | None) -> Any:
        metadata = [*(details.metadata or ()), *self._sent]
        traceparent = telemetry.current_traceparent()
        if traceparent:
            metadata.append(("traceparent", traceparent))
        return _Details(
            details.method,
            details.timeout if details.timeout is not None else timeout_s,
            metadata,
            details.credentials,
            details.wait_for_ready,
            details.compression,
        )

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """Adds who calls and a deadline."""
        return continuation(self._with(client_call_details, WRITE_S), request)

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """Adds who calls; how long a stream is watched is the caller's to say."""
        return continuation(self._with(client_call_details, None), request)

    def intercept_stream_unary(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        """Adds who calls; how long an upload takes is the caller's to say."""
        return continuation(self._with(client_call_details, None), request_iterator)

    def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        """Adds who calls; how long a conversation takes is the caller's to say."""
        return continuation(self._with(client_call_details, None), request_iterator)
