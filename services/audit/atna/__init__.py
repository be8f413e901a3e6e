"""ATNA's door (IHE ITI-20): DICOM audit messages by syslog over TLS, from systems that speak no FHIR."""
