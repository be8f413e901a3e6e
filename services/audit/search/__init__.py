"""Finding entries: what an AuditEvent is found by, FHIR's search parameters, and the index under them."""
