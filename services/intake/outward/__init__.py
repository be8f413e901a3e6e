"""What a source hears of its referrals without asking: signed FHIR notifications, and HL7 v2 status messages."""
