"""The words: every template in every language, with marked data, shows nothing of the peer and nothing of care."""

from __future__ import annotations

import base64
import re
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from services.notifications.channels import Parcel
from services.notifications.channels.apprise import AppriseWay
from services.notifications.channels.mail import SmtpServer, compose
from services.notifications.channels.posting import Poster
from services.notifications.channels.sms import SmsAccount, SmsWay
from services.notifications.channels.webhook import WebhookWay
from services.notifications.domain.contacts import Contact
from services.notifications.domain.intents import Intent
from services.notifications.domain.notices import Attempt
from services.notifications.domain.reach import Reach
from services.notifications.wording import letters
from services.notifications.wording.letters import LANGUAGES, Letters
from tests.unit.notifications.notice_builders import NOW, a_notice

TEMPLATES = Path(letters.__file__).parent / "templates"
PUBLIC_URL = "https://answers.example.org"
SERVER = SmtpServer("127.0.0.1", 25, "Kindred <notices@kindred.example.org>")
POSTER = Poster(ssl.create_default_context(), 5.0)
ACCOUNT = SmsAccount(
    "https://sms.example.org", "AC1", "hush", "+13125550100", "https://notices.kindred.example.org"
)
# Always the same: a signature by chance may read "/er+", and no word of it is anybody's.
SECRET = "whsec_" + base64.b64encode(bytes(range(24))).decode()
MARKED = {
    name: f"MARK-{name}-xyzzy"
    for name in ("recipient_id", "contact_id", "offer_id", "peer_id", "organization_id", "purpose_of_use")
}
REFERRAL_ID = "ref_MARK-referral_id-c0ffee"
# What would tell a person looking over a shoulder that this is about somebody's care.
CARE = re.compile(
    r"\b(peer|patient|recover\w*|addict\w*|overdos\w*|substance\w*|drug\w*|alcohol\w*|opioid\w*|sober\w*|relapse\w*"
    r"|hospital\w*|clinic\w*|emergenc\w*|\bER\b|\bED\b|treat(?!ed\b)\w*|therap\w*|counsel\w*|health\w*|medic\w*|crisis"
    r"|suicid\w*|veteran\w*|bedside|referral\w*|naloxone|detox\w*|rehab\w*"
    r"|paciente\w*|recuperaci\w*|adicci\w*|adict\w*|sobredosis|sustancia\w*|droga\w*|sobri\w*|reca[ií]da\w*|cl[ií]nic\w*"
    r"|v[ií]cio\w*|sa[uú]de|recupera[cç]\w*|depend[eê]ncia qu\w*|crise|suic[ií]di\w*|emerg[eê]nc\w*|tratament\w*"
    r"|emergencia\w*|urgencias|tratamiento\w*|terap\w*|consejer\w*|salud|m[eé]dic\w*|suicidi\w*|veteran\w*|remisi\w*)\b",
    re.IGNORECASE,
)


class Words(HTMLParser):
    """What a reader of the HTML sees, and where its links lead."""

    def __init__(self, html):
        super().__init__()
        self.words, self.links, self.is_head = [], [], False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.is_head = tag == "head" or (self.is_head and tag != "body")
        self.links += [value for name, value in attributes if name in ("href", "src")]

    def handle_data(self, data):
        if not self.is_head:
            self.words += data.split()


def marked_notice(intent, modality="bedside"):
    notice = a_notice(intent, referral_id=REFERRAL_ID, modality=modality)
    return replace(notice, **MARKED)


def everything_shown(intent, language, templates=TEMPLATES, modality="bedside"):
    """What a reader, a preview on a locked phone, a mail program and an endpoint see of a notice, on every channel."""
    contact = Contact("MARK-address-xyzzy@example.org", language, "America/New_York", "+13125550123")
    notice = marked_notice(intent, modality)
    letters = Letters(PUBLIC_URL, templates)
    letter = letters.write(notice, contact, "MARKEDTOKEN")
    digest = letters.write_digest([notice, notice], contact)
    message = compose(letter, notice, Attempt(1, NOW), address=contact.address, server=SERVER, now=NOW)
    head = message.split(b"\r\n\r\n")[0].decode()
    shown_head = "\n".join(line for line in head.split("\r\n") if not line.startswith("To:"))
    reach = Reach(contact, secrets=(SECRET,))
    parcel = Parcel(notice, Attempt(1, NOW), reach, letter, "+13125550123", NOW)
    hook = WebhookWay(POSTER).compose(parcel)
    text = SmsWay(ACCOUNT, POSTER).compose(parcel)
    told = AppriseWay([], 5.0).compose(parcel)
    shown = [
        told.subject,
        told.text,
        letter.subject,
        letter.text,
        letter.html,
        letter.short,
        shown_head,
        digest.text,
        digest.html,
    ]
    return "\n".join([*shown, hook.body.decode(), str(hook.headers()), text["Body"], text["From"]])


def leaks(shown):
    """Marks, and words that reveal care, outside the one place a token may stand: behind /answer/."""
    shown = shown.replace(f"{PUBLIC_URL}/answer/MARKEDTOKEN", "")
    return [*re.findall(r"MARK\S*|xyzzy", shown), *CARE.findall(shown)]


ALL = [(intent, language) for intent in Intent for language in [*LANGUAGES, "vi"]]


@pytest.mark.parametrize(("intent", "language"), ALL)
@pytest.mark.parametrize("modality", ["bedside", "phone", "video", ""])
def test_no_letter_shows_the_peer_or_that_it_is_about_care(intent, language, modality):
    """Subject, sender, headers, text, HTML and link of every letter hold no marked fact and no word of care (P9)."""
    assert leaks(everything_shown(intent, language, modality=modality)) == []


@pytest.mark.parametrize(
    "slip",
    ["Your peer is waiting", "at the hospital", "su paciente", "{{ reference }} {{ link }}MARK-x-xyzzy"],
)
def test_the_scan_finds_a_slip(tmp_path, slip):
    """The scan above can fail: a template with a telling word or a marked fact is found."""
    for template in TEMPLATES.glob("*.txt"):
        (tmp_path / template.name).write_text(template.read_text())
    with (tmp_path / "offer-made.txt").open("a") as template:
        template.write(f"\n{slip}\n")
    assert leaks(everything_shown(Intent.OFFER_MADE, "en", tmp_path)) != []


def test_every_intent_has_a_template_and_no_template_lacks_its_intent():
    """No intent is without words, and no words belong to no intent."""
    wanted = {intent.value for intent in Intent} | {"fallback", "footer", "sms", "digest"}
    assert {path.stem for path in TEMPLATES.glob("*.txt")} == wanted


@pytest.mark.parametrize(("intent", "language"), ALL)
def test_text_and_html_say_the_same(intent, language):
    """Whoever reads the HTML part reads the words of the text part, in the same order."""
    letter = Letters(PUBLIC_URL).write(a_notice(intent), Contact(language=language), "tok")
    page = Words(letter.html)
    text = [word.rstrip(":") for word in letter.text.split() if not word.startswith("https://")]
    assert [word.rstrip(":") for word in page.words] == text
    assert all(link in letter.text for link in page.links)


def test_only_an_offer_has_a_link_and_it_holds_nothing_but_the_token():
    """The only link leads to the answer page and carries the token and the language, no identifier."""
    for intent in Intent:
        letter = Letters(PUBLIC_URL).write(a_notice(intent), Contact(), "tok-1")
        wanted = [f"{PUBLIC_URL}/answer/tok-1?lang=en"] if intent is Intent.OFFER_MADE else []
        assert Words(letter.html).links == wanted
        assert re.findall(r"https?://\S+", letter.text) == wanted


def test_an_unknown_language_falls_back_and_says_so():
    """Who asked for a language we do not write gets English, with a sentence that says why."""
    written = Letters(PUBLIC_URL).write(a_notice(), Contact(language="vi-VN"), "tok")
    assert written.language == "en"
    assert "We do not have this message in your language yet" in written.text
    assert (
        "your language yet"
        not in Letters(PUBLIC_URL).write(a_notice(), Contact(language="en-GB"), "tok").text
    )


def test_a_region_of_a_known_language_is_that_language():
    """ "es-MX" reads Spanish."""
    assert Letters(PUBLIC_URL).write(a_notice(), Contact(language="es-MX"), "tok").language == "es"


@pytest.mark.parametrize(
    ("zone", "language", "words"),
    [
        ("America/New_York", "en", "3:05 PM EDT, Tuesday, May 5"),
        ("America/Los_Angeles", "en", "12:05 PM PDT, Tuesday, May 5"),
        ("America/Chicago", "es", "2:05 p.m. CDT, martes 5 de mayo"),
        ("Mars/Olympus", "en", "7:05 PM UTC, Tuesday, May 5"),
    ],
)
def test_the_deadline_is_told_in_the_recipients_own_zone(zone, language, words):
    """The deadline is what the recipient's wall clock shows, and the zone is always named."""
    letter = Letters(PUBLIC_URL).write(a_notice(), Contact(language=language, time_zone=zone), "tok")
    shown = re.sub(r"\s+", " ", letter.text)
    assert words in shown


def test_a_deadline_across_the_change_of_clocks_names_the_right_hour():
    """In the hour that comes twice the zone's letters tell which one is meant."""
    first, second = (datetime(2026, 11, 1, hour, 30, tzinfo=UTC) for hour in (5, 6))
    words = [letters.clock_words(moment, "America/New_York", "en") for moment in (first, second)]
    assert [re.sub(r"\s+", " ", word)[:11] for word in words] == ["1:30 AM EDT", "1:30 AM EST"]


def test_an_arrival_is_what_the_specialist_said_or_nothing():
    """Without a promise the source is told that there is none; no time is made up."""
    promised = Letters(PUBLIC_URL).write(a_notice(Intent.HELP_ASSIGNED), Contact())
    silent = Letters(PUBLIC_URL).write(a_notice(Intent.HELP_ASSIGNED, promised_arrival_at=None), Contact())
    assert "7:20" in promised.text
    assert "have not told us yet" in silent.text
    assert not re.search(r"\d:\d\d", silent.text)


def test_the_reference_is_a_few_characters_of_the_referral():
    """The source finds its request by six characters that are no identifier to anybody else."""
    letter = Letters(PUBLIC_URL).write(a_notice(Intent.REFERRAL_UNFILLED), Contact())
    assert "AA7B31" in letter.subject
    assert "ref_" not in letter.text


def test_no_sentence_is_long():
    """Plain words: no sentence of any letter has more than twenty words."""
    for intent, language in ALL:
        letter = Letters(PUBLIC_URL).write(a_notice(intent), Contact(language=language), "tok")
        for sentence in re.split(r"(?<=[.:?!])\s", letter.text):
            assert len(sentence.split()) <= 20, sentence


def test_a_template_that_asks_for_more_than_it_may_fails(tmp_path):
    """A template cannot reach what it was not handed: asking for it is an error, not an empty place."""
    for name in ("footer", "fallback", "sms", "offer-made"):
        (tmp_path / f"{name}.txt").write_text("Hello {{ peer_id }}" if name == "offer-made" else "Hello")
    with pytest.raises(Exception, match="peer_id"):
        Letters(PUBLIC_URL, tmp_path).write(a_notice(), Contact())


def test_deadlines_move_with_the_clock():
    """Five minutes later is five minutes later on the wall."""
    early, late = (letters.clock_words(NOW + timedelta(minutes=m), "America/New_York", "en") for m in (0, 5))
    assert ("3:00" in early, "3:05" in late) == (True, True)


# Syllables as the published measures count them: groups of vowels; in English without a silent last e.
_VOWELS = {"en": r"[aeiouy]+", "es": r"[aeiouáéíóúü]+", "pt": r"[aeiouáéíóúâêôãõàü]+"}
# Flesch 1948; Fernández Huerta 1959; Martins et al. 1996: reading ease = base - a * words in a sentence - b * syllables.
_EASE = {"en": (206.835, 1.015, 84.6), "es": (206.84, 1.02, 60.0), "pt": (248.835, 1.015, 84.6)}


def reading_ease(text, language):
    """How easily the text is read: 60 and more is plain, 70 and more is easy."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    sentences = max(1, len(re.findall(r"[.:?!](?:\s|$)", text)))
    syllables = 0
    for word in words:
        said = re.sub(r"(?<=[^aeiouy])e$", "", word) if language == "en" and len(word) > 3 else word
        syllables += max(1, len(re.findall(_VOWELS[language], said)))
    base, per_sentence, per_word = _EASE[language]
    return base - per_sentence * len(words) / sentences - per_word * syllables / len(words)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_letter_is_easy_to_read(language):
    """Measured, in the measure of each language: every letter is plain, and most are easy."""
    found = {
        intent: reading_ease(
            Letters(PUBLIC_URL).write(a_notice(intent), Contact(language=language)).text, language
        )
        for intent in Intent
    }
    assert min(found.values()) >= 60, min(found, key=found.get)
    assert sorted(found.values())[len(found) // 2] >= 70


def test_the_measure_knows_what_is_hard():
    """The measure above can fail."""
    hard = "Notwithstanding organizational certification expirations, eligibility determinations necessitate renewal."
    assert reading_ease(hard, "en") < 0
