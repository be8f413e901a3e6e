"""Writes a stored sample of every event version that has none yet; never changes one that is there.

Run it after adding an event: PYTHONPATH=.:gen python tests/wire/make_golden.py
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from chassis import catalog
from chassis.envelope import Envelope, to_amqp

GOLDEN = Path(__file__).parent / "golden"


def filled(message: Message) -> Message:
    """The message with a telling value in every field, so that a lost or moved field shows."""
    for field in message.DESCRIPTOR.fields:
        if field.is_repeated:
            holder = getattr(message, field.name)
            if field.message_type is None:
                holder.append(_scalar(field))
            else:
                filled(holder.add())
        elif field.message_type is not None and field.message_type.full_name == "google.protobuf.Timestamp":
            getattr(message, field.name).FromDatetime(datetime(2026, 11, 21, 22, field.number, tzinfo=UTC))
        elif field.message_type is not None:
            filled(getattr(message, field.name)).SetInParent()
        else:
            setattr(message, field.name, _scalar(field))
    return message


def _scalar(field: Any) -> Any:
    if field.enum_type is not None:
        return field.enum_type.values[-1].number
    kinds = {
        field.CPPTYPE_STRING: f"{field.name}-sample",
        field.CPPTYPE_BOOL: True,
        field.CPPTYPE_INT32: 100 + field.number,
        field.CPPTYPE_INT64: 10_000 + field.number,
    }
    return kinds[field.cpp_type] if field.type != field.TYPE_BYTES else f"{field.name}-bytes".encode()


def sample(event_type: str) -> dict[str, Any]:
    """The event as it stood on the wire, and as it must be read."""
    message = filled(catalog.message_class(event_type)())
    envelope = Envelope(
        id="evt_019ab2c4d5e67f80a1b2c3d4e5f60718",
        type=event_type,
        source="golden",
        time=datetime(2026, 11, 21, 22, 0, 0, 123_000, tzinfo=UTC),
        aggregate_id="agg_019ab2c4d5e67f80a1b2c3d4e5f60718",
        aggregate_seq=3,
        producer_seq=41,
        correlation_id="cor_019ab2c4d5e67f80a1b2c3d4e5f60718",
        causation_id="evt_019ab2c4d5e67f80a1b2c3d4e5f60700",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        data=message.SerializeToString(deterministic=True),
    )
    properties, headers = to_amqp(envelope)
    return {
        "properties": properties,
        "headers": headers,
        "body_hex": envelope.data.hex(),
        "reads_as": json_format.MessageToDict(message, preserving_proto_field_name=True),
    }


def main() -> None:
    """Missing samples are written."""
    for event_type in catalog.all_types():
        path = GOLDEN / f"{event_type}.json"
        if not path.exists():
            path.write_text(json.dumps(sample(event_type), indent=1, sort_keys=True) + "\n")
            print(f"wrote {path.name}")


if __name__ == "__main__":
    main()
