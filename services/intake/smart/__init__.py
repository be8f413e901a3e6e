"""SMART Backend Services: how a hospital's system signs in at the FHIR door (SMART App Launch 2.2, backend services)."""
