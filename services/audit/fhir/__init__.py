"""FHIR R4 AuditEvents: written from facts in the shapes of IHE BALP, read back, and judged when others sent them."""

from services.audit.fhir.reading import ReadBody, facts_in, read_body, shown
from services.audit.fhir.writing import audit_event, fhir_id

__all__ = ["ReadBody", "audit_event", "facts_in", "fhir_id", "read_body", "shown"]
