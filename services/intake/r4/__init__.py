"""HL7 FHIR R4 (4.0.1) as HL7 published it, compiled to a small table, and the validator that reads it."""
