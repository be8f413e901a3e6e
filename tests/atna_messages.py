"""DICOM audit messages as PACS, EHR and document registries send them (PS3.15 A.5, IHE ITI-20), of fictional people."""

from __future__ import annotations

# A PACS shows studies to a clinician: DICOM PS3.15 A.5.3.5, codes by csd-code.
SHOWN = b"""<?xml version="1.0" encoding="UTF-8"?>
<AuditMessage>
  <EventIdentification EventActionCode="R" EventDateTime="2026-11-21T22:00:04.120-05:00" EventOutcomeIndicator="0">
    <EventID csd-code="110103" codeSystemName="DCM" originalText="DICOM Instances Accessed"/>
    <PurposeOfUse csd-code="TREAT" codeSystemName="2.16.840.1.113883.5.8" originalText="treatment"/>
  </EventIdentification>
  <ActiveParticipant UserID="dr-lund" AlternativeUserID="1203" UserName="Lund" UserIsRequestor="true"
      NetworkAccessPointID="10.1.2.3" NetworkAccessPointTypeCode="2">
    <RoleIDCode csd-code="110153" codeSystemName="DCM" originalText="Source Role ID"/>
  </ActiveParticipant>
  <ActiveParticipant UserID="PACS1" UserIsRequestor="false" NetworkAccessPointID="pacs.st-brigid.example"
      NetworkAccessPointTypeCode="1">
    <RoleIDCode csd-code="110152" codeSystemName="DCM" originalText="Destination Role ID"/>
  </ActiveParticipant>
  <AuditSourceIdentification AuditEnterpriseSiteID="st-brigid" AuditSourceID="PACS1">
    <AuditSourceTypeCode csd-code="4"/>
  </AuditSourceIdentification>
  <ParticipantObjectIdentification ParticipantObjectID="975cac30^^^&amp;2.999.1&amp;ISO" ParticipantObjectTypeCode="1"
      ParticipantObjectTypeCodeRole="1">
    <ParticipantObjectIDTypeCode csd-code="2" codeSystemName="RFC-3881" originalText="Patient Number"/>
    <ParticipantObjectName>Quillfeather^Rosa</ParticipantObjectName>
  </ParticipantObjectIdentification>
  <ParticipantObjectIdentification ParticipantObjectID="2.999.77.1" ParticipantObjectTypeCode="2"
      ParticipantObjectTypeCodeRole="3" ParticipantObjectDataLifeCycle="6">
    <ParticipantObjectIDTypeCode csd-code="110180" codeSystemName="DCM" originalText="Study Instance UID"/>
    <ParticipantObjectDetail type="ContainsSOPClass" value="Mi45OTkuOA=="/>
  </ParticipantObjectIdentification>
</AuditMessage>
"""

# A registry answers a query: RFC 3881 spelling (code, displayName), no time zone, a query and a failure.
QUERIED = b"""<AuditMessage xmlns="http://example.org/some-namespace">
<EventIdentification EventActionCode="E" EventDateTime="2026-11-21T22:05:00" EventOutcomeIndicator="4">
<EventID code="110112" codeSystemName="DCM" displayName="Query"/>
<EventTypeCode code="ITI-18" codeSystemName="IHE Transactions" displayName="Registry Stored Query"/>
</EventIdentification>
<ActiveParticipant UserID="http://ehr.example/xds" UserIsRequestor="true"/>
<AuditSourceIdentification AuditSourceID="registry"><AuditSourceTypeCode>4</AuditSourceTypeCode>
</AuditSourceIdentification>
<ParticipantObjectIdentification ParticipantObjectID="urn:uuid:14d4debf" ParticipantObjectTypeCode="2"
 ParticipantObjectTypeCodeRole="24"><ParticipantObjectName>both</ParticipantObjectName>
<ParticipantObjectQuery>UGF0aWVudA==</ParticipantObjectQuery></ParticipantObjectIdentification>
</AuditMessage>"""

HEADER = b"<85>1 2026-11-22T03:00:04.120Z pacs.st-brigid.example PACS1 1203 IHE+RFC-3881 - \xef\xbb\xbf"


def counted(message: bytes) -> bytes:
    """The syslog message in a frame of RFC 5425."""
    return b"%d %b" % (len(message), message)
