"""What intake speaks in FHIR R4: Bundles in, Tasks, outcomes and capabilities out; pure."""
