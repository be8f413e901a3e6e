"""Counters and gauges of the bus and of the doors; served by every process under /metrics."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

# The three ends (RELIABILITY); `end` is handled, retried or parked.
BUS_ENDS = Counter("kindred_bus_ends_total", "Events by how they ended.", ["service", "type", "end"])
BUS_HANDLER_SECONDS = Histogram(
    "kindred_bus_handler_seconds", "Time in a listener's method.", ["service", "method"], buckets=_SECONDS
)
BUS_BATCH_SIZE = Histogram(
    "kindred_bus_batch_size",
    "Events handed to a batch listener at once.",
    ["service", "method"],
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2048),
)
BUS_SETTLE_ERRORS = Counter(
    "kindred_bus_settle_errors_total", "Acks and rejects the broker did not take.", ["service"]
)
BUS_CONNECTIONS = Counter(
    "kindred_bus_connections_total", "Connections to the broker, by how they went.", ["service", "outcome"]
)
BUS_WAITING = Gauge(
    "kindred_bus_in_place_waits", "Listeners that wait in place for trouble outside to end.", ["service"]
)
QUEUE_DEPTH = Gauge("kindred_queue_depth", "Messages ready in a queue.", ["service", "queue"])
PARKED_EVENTS = Gauge(
    "kindred_parked_events", "Events parked and not yet replayed or discarded.", ["service"]
)
PARKED_TOTAL = Counter("kindred_parked_total", "Events parked, by reason.", ["service", "reason"])
RETRY_ROWS = Gauge("kindred_retry_events", "Events waiting for another try.", ["service"])
TIMER_ERRORS = Counter("kindred_timer_errors_total", "Timer methods that failed.", ["service", "method"])

RELAY_PUBLISHED = Counter("kindred_relay_published_total", "Events published and confirmed.", ["service"])
RELAY_HELD = Gauge("kindred_relay_held_events", "Events the broker could not route or take.", ["service"])
RELAY_LAG_SECONDS = Gauge(
    "kindred_relay_lag_seconds", "Age of the oldest event not yet published.", ["service"]
)
RELAY_ERRORS = Counter(
    "kindred_relay_errors_total", "Rounds of the relay that failed.", ["service", "outside"]
)

# The doors: gRPC and HTTP.
RPC_SECONDS = Histogram(
    "kindred_rpc_seconds",
    "Time in a gRPC method, by the status it ended with.",
    ["method", "code"],
    buckets=_SECONDS,
)
RPC_RUNNING = Gauge("kindred_rpc_running", "gRPC calls being served now.")
LIVE_STREAMS = Gauge("kindred_live_streams", "gRPC streams that wait for news.")
HTTP_SECONDS = Histogram(
    "kindred_http_seconds",
    "Time in an HTTP route, by the status it ended with.",
    ["method", "route", "status"],
    buckets=_SECONDS,
)
HTTP_RUNNING = Gauge("kindred_http_running", "HTTP requests being served now.")
REFUSALS = Counter("kindred_refusals_total", "Requests refused, by kind and stable code.", ["kind", "code"])
BUGS = Counter("kindred_bugs_total", "Unexpected errors answered with an error id: each is a bug.", ["door"])
IS_READY = Gauge("kindred_ready", "1 while /readyz answers 200.")
