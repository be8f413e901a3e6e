"""Who comes to the emergency rooms of the demonstration: plainly fictional people, each with a reason to be here."""

from dataclasses import dataclass, field

ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
SNOMED = "http://snomed.info/sct"


@dataclass(frozen=True)
class Hospital:
    """A fictional hospital at a real ZIP."""

    source_id: str
    name: str
    zip: str


ALBANY = Hospital("er-st-brigid", "St. Brigid's Hospital (fictional)", "12208")
BRONX = Hospital("er-hallorans-bridge", "Halloran's Bridge Medical Center (fictional)", "10451")
BUFFALO = Hospital("er-lakelight", "Lakelight General (fictional)", "14203")
ROCHESTER = Hospital("er-genesee-lamp", "Genesee Lamp Hospital (fictional)", "14607")
SYRACUSE = Hospital("er-salt-city", "Salt City Infirmary (fictional)", "13210")


_ENDS = {
    "refused": "refused",
    "silent": "unfilled",
    "nobody": "unfilled",
    "cancelled": "cancelled",
    "revoked": "consent-revoked",
}


@dataclass(frozen=True)
class Story:
    """One person, what the ER knows, what they wish for, and how specialists answer in this play.

    `answer`: accept, decline-first, second-wave, silent, race, nobody (no specialist can serve), refused
    (intake must turn it away with `refusal`), cancelled (the ER takes it back while offers are out), revoked (the
    person takes their consent back then).
    `door`: fhir, or hl7v2 (REF^I12 over MLLP); `is_consent_late`: the consent follows in a REF^I13.
    """

    key: str
    title: str
    hospital: Hospital
    given: str
    family: str
    birth_date: str
    codes: tuple[tuple[str, str], ...]
    answer: str = "accept"
    languages: tuple[str, ...] = ("en",)
    priority: str = "stat"
    experience: tuple[str, ...] = ()
    preferences: tuple[tuple[str, str], ...] = ()
    consent: str = "permit"
    refusal: str = ""
    is_sent_twice: bool = False
    is_interpreter_agreed: bool = False
    kind: str = "transaction"
    note: str = ""
    payer: str = "medicaid"
    modalities: tuple[str, ...] = ()
    leaves_out: tuple[str, ...] = field(default=())
    door: str = "fhir"
    is_consent_late: bool = False

    @property
    def expected(self) -> str:
        """How it must end: assigned, unfilled, refused, cancelled or consent-revoked."""
        return _ENDS.get(self.answer, "assigned")

    def wishes(self, strength: str) -> frozenset[str]:
        """The attribute codes the peer gave this strength."""
        return frozenset(code for code, given in self.preferences if given == strength)


STORIES: tuple[Story, ...] = (
    Story(
        "veteran", "overdose survivor, veteran, speaks Spanish", ALBANY, "Anselmo", "Faroverde-Test", "1981-03-14",
        ((ICD10, "T40.411A"), (ICD10, "F11.20"), (SNOMED, "75544000")), languages=("es",),
        experience=("military.veteran",),
        preferences=(("military.veteran", "strong"), ("overdose", "strong"), ("ethnicity.hispanic-latino", "some")),
        note="Pide que le llamen por su segundo nombre.",
    ),
    Story(
        "young", "eighteen years old, first overdose", BRONX, "Juniper", "Larkspurn-Test", "2007-05-02",
        ((ICD10, "T40.1X1A"), (ICD10, "F11.10")), answer="decline-first",
        preferences=(("age.young-adult", "strong"), ("gender.woman", "some")),
    ),
    Story(
        "deaf-parent", "Deaf parent, American Sign Language", ALBANY, "Orsolya", "Handsworth-Test", "1990-11-30",
        ((ICD10, "F10.20"), (ICD10, "H91.93"), (SNOMED, "7200002")), languages=("ase",),
        experience=("deaf.asl", "parenting"), preferences=(("parenting", "strong"), ("deaf.asl", "strong")),
        modalities=("bedside", "video", "phone"),
    ),
    Story(
        "attempt", "survived a suicide attempt", BUFFALO, "Leopold", "Greywater-Test", "1969-08-09",
        ((ICD10, "T14.91XA"), (ICD10, "F32.2")), preferences=(("suicide.attempt", "strong"),), answer="race",
        payer="commercial",
    ),
    Story(
        "pregnant", "pregnant, opioid use, wants a mother", BRONX, "Marisela", "Cantaluna-Test", "1996-02-17",
        ((ICD10, "O99.323"), (ICD10, "F11.20")), languages=("es", "en"),
        preferences=(("parenting", "strong"), ("gender.woman", "must"), ("pathway.medication", "some")),
    ),
    Story(
        "combat", "combat veteran, alcohol, post-traumatic stress", SYRACUSE, "Thaddeus", "Ironwood-Test",
        "1978-07-04", ((ICD10, "F10.230"), (ICD10, "F43.12")), answer="decline-first",
        experience=("military.combat",), preferences=(("military.combat", "strong"),),
    ),
    Story(
        "unhoused", "sleeps outside, stimulants", ROCHESTER, "Bartholomew", "Underbridge-Test", "1985-12-24",
        ((ICD10, "F15.20"), (ICD10, "Z59.02")), preferences=(("homelessness", "strong"),), answer="second-wave",
    ),
    Story(
        "no-consent", "said no to the referral", ALBANY, "Wilhelmina", "Closedoor-Test", "1959-01-20",
        ((ICD10, "F10.20"),), answer="refused", consent="deny", refusal="consent-refused",
    ),
    Story(
        "twice", "two nurses send the same visit", BRONX, "Ignatius", "Doublebell-Test", "1974-09-19",
        ((ICD10, "T40.1X1A"),), is_sent_twice=True,
    ),
    Story(
        "nobody", "asks for a language no specialist speaks, without an interpreter", BUFFALO, "Ashkii",
        "Farcanyon-Test", "1988-06-06", ((ICD10, "F10.20"),), languages=("nv",), answer="nobody",
        preferences=(("faith.native-traditions", "some"),),
    ),
    Story(
        "silent", "nobody answers in time", SYRACUSE, "Philippa", "Stillwater-Test", "1992-04-23",
        ((ICD10, "F14.20"),), answer="silent",
    ),
    Story(
        "older", "seventy-one, pills after surgery", ROCHESTER, "Eudora", "Winterpear-Test", "1954-10-03",
        ((ICD10, "F13.20"), (ICD10, "G89.29")), payer="medicare", preferences=(("age.older-adult", "some"),),
    ),
    Story(
        "trans", "asks for somebody from the LGBTQ+ community", BRONX, "Marlowe", "Kitefield-Test", "2001-03-31",
        ((ICD10, "R45.851"), (ICD10, "F33.1")), preferences=(("lgbtq", "strong"),),
    ),
    Story(
        "partner-violence", "does not want a man, must be sure of it", BUFFALO, "Annika", "Safeharbor-Test",
        "1987-05-15", ((ICD10, "T40.2X1A"), (ICD10, "F11.20")), preferences=(("gender.man", "avoid"),
        ("trauma.partner-violence", "strong")),
    ),
    Story(
        "reentry", "three weeks out of prison", ALBANY, "Cornelius", "Newgate-Test", "1983-02-11",
        ((ICD10, "T40.411A"), (ICD10, "Z65.2")), preferences=(("justice.incarceration", "strong"),),
    ),
    Story(
        "haitian", "speaks Haitian Creole, agreed to an interpreter", BRONX, "Mirlande", "Soleyé-Test", "1979-12-01",
        ((ICD10, "F32.1"), (ICD10, "R45.851")), languages=("ht",), is_interpreter_agreed=True,
    ),
    Story(
        "tomorrow", "ahead of birth: a typing mistake", ALBANY, "Prospero", "Typoson-Test", "2091-01-01",
        ((ICD10, "F10.20"),), answer="refused", refusal="birth-date-in-future",
    ),
    Story(
        "forgot-consent", "the consent was left out", SYRACUSE, "Ottoline", "Halfway-Test", "1965-05-25",
        ((ICD10, "F10.20"),), answer="refused", consent="", refusal="consent-missing",
    ),
    Story(
        "expired-consent", "the consent has expired", BUFFALO, "Hezekiah", "Lapsed-Test", "1971-11-11",
        ((ICD10, "F19.20"),), answer="refused", consent="expired", refusal="consent-expired",
    ),
    Story(
        "mutual-aid", "wants the way of abstinence", ROCHESTER, "Cordelia", "Stonebread-Test", "1968-08-18",
        ((ICD10, "F10.20"),), preferences=(("pathway.abstinence", "strong"), ("pathway.medication", "none")),
        door="hl7v2",
    ),
    Story(
        "left", "goes home before anybody comes, the ER takes it back", SYRACUSE, "Ottoline", "Openroad-Test",
        "1987-01-19", ((ICD10, "F10.20"),), answer="cancelled", door="hl7v2",
    ),
    Story(
        "second-thoughts", "takes the consent back while offers are out", ALBANY, "Fitzgerald", "Stillwater-Test",
        "1976-05-25", ((ICD10, "F11.20"),), answer="revoked",
    ),
    Story(
        "paper-later", "the consent is signed after the referral is sent", BUFFALO, "Philippa", "Inkwell-Test",
        "1983-03-03", ((ICD10, "F14.20"),), door="hl7v2", is_consent_late=True,
    ),
    Story(
        "child-welfare", "her children were taken last week", SYRACUSE, "Rosamund", "Emptynest-Test", "1993-09-09",
        ((ICD10, "F15.20"), (ICD10, "Z62.21")), preferences=(("parenting.child-welfare", "strong"),),
        answer="decline-first",
    ),
    Story(
        "loss", "lost a brother to an overdose, in crisis", ALBANY, "Emeric", "Lastletter-Test", "1999-07-21",
        ((ICD10, "R45.851"), (ICD10, "Z63.4")), preferences=(("bereavement.overdose-loss", "strong"),),
        experience=("bereavement.overdose-loss",),
    ),
    Story(
        "voices", "hears voices, wants someone who knows", BRONX, "Sunniva", "Manyrooms-Test", "1994-04-04",
        ((ICD10, "F20.9"), (ICD10, "F12.20")), preferences=(("mental-health.psychosis", "strong"),),
        answer="second-wave",
    ),
    Story(
        "urgent", "going home tonight, somebody tomorrow is soon enough", ROCHESTER, "Barnaby", "Slowlane-Test",
        "1980-10-10", ((ICD10, "F10.10"),), priority="urgent", payer="commercial",
    ),
)  # fmt: skip
