"""The demonstration: fictional people, real formats, and every promise checked in front of you."""
