"""What happens to a message: decoded, handed to its listener, and brought to exactly one of the three ends.

Knows no framework: a host gives it work in any thread or greenlet and is told, message by message, what to answer
the broker (RELIABILITY, "The three ends").
"""

from __future__ import annotations

from chassis.receiving.receiver import MAX_EVENT_BYTES, Receiver
from chassis.receiving.sitting import Answer, Sitting

__all__ = ["MAX_EVENT_BYTES", "Answer", "Receiver", "Sitting"]
