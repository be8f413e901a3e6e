"""HL7 v2 in and out: REF and ADT messages become commands, acknowledgements and status messages become bytes."""
