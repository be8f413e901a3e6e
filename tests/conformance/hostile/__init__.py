"""Hostile FHIR over HTTP: what is sent, and what must be true however it is answered."""
