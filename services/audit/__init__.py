"""Audit: every event and every read in one append-only log that proves itself."""
