"""What comes back by SMS: whose it is (the signature), what a person meant, and what they hear in return."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import unicodedata
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final
from xml.sax.saxutils import escape


class Meaning(StrEnum):
    """What somebody wanted to say."""

    STOP = "stop"
    START = "start"
    HELP = "help"
    # They want to say how they are written to.
    CHOOSE = "choose"
    WRONG_NUMBER = "wrong-number"
    WHO_IS_THIS = "who-is-this"
    OTHER = "other"


# One word alone is a command (CTIA Messaging Principles 5.1.3); accents and case do not matter.
_COMMANDS: Final[Mapping[Meaning, frozenset[str]]] = {
    Meaning.STOP: frozenset(
        {
            *("stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"),
            *("alto", "parar", "pare", "basta", "cancelar", "detener", "detengan", "baja", "terminar", "fin"),
        }
    ),
    Meaning.START: frozenset(
        {
            *("start", "unstop", "yes", "begin", "resume"),
            *("iniciar", "inicio", "inicia", "comenzar", "empezar", "reanudar", "alta", "si"),
        }
    ),
    Meaning.CHOOSE: frozenset(
        {
            *("prefs", "preferences", "options", "settings", "choose"),
            *("preferencias", "preferencia", "opciones", "opcoes", "elegir", "escolher"),
        }
    ),
    Meaning.HELP: frozenset({"help", "info", "ayuda", "informacion", "ajuda"}),
}
_STOP_PHRASES: Final = re.compile(
    r"\b(stop (texting|messaging|contacting|writing)|do ?n[o']?t (text|message|contact|write)|leave me alone"
    r"|take me off|remove me|opt out"
    r"|no me (escriban?|manden?|contacten?|molesten?|envien?)|dej[ae]n? de (escribir|mandar|molestar)"
    r"|no (quiero|deseo) (mas )?mensajes|dejenme en paz)"
)
_WRONG: Final = re.compile(
    r"\b(wrong (number|person)|not (the|your) person|you have the wrong|no longer (his|her|their) number"
    r"|numero equivocado|persona equivocada|se equivoco|se equivocaron|no (es|soy) (esa|la) persona)\b"
)
_WHO: Final = re.compile(
    r"\b(who('?s| is| are| r)? (this|you|u)|who dis|do i know you|what is this"
    r"|quien (es|eres|habla|escribe|me escribe|son)|de parte de quien|que es esto)\b"
)
# Nothing here says who we are or what it is about: somebody else may be holding the phone.
_ANSWERS: Final[Mapping[Meaning, Mapping[str, str]]] = {
    Meaning.STOP: {
        "en": "You will get no more messages from this number. Reply START to get them again.",
        "es": "No va a recibir más mensajes de este número. Responda INICIAR para recibirlos de nuevo.",
    },
    Meaning.START: {
        "en": "You will get messages from this number again. Reply STOP to end them.",
        "es": "Va a recibir mensajes de este número otra vez. Responda ALTO para no recibirlos.",
    },
    Meaning.HELP: {
        "en": "A computer sends these messages to people who asked for them. Reply STOP to end them, "
        "PREFS to choose how they come.",
        "es": "Una computadora envía estos mensajes a quien los pidió. Responda ALTO para no recibirlos, "
        "PREFERENCIAS para elegir cómo.",
    },
    Meaning.CHOOSE: {
        "en": "Choose how this number writes to you. This works once, for 30 minutes: {link}",
        "es": "Elija cómo le escribe este número. Funciona una vez, por 30 minutos: {link}",
    },
    Meaning.WRONG_NUMBER: {
        "en": "Sorry. You will get no more messages from this number.",
        "es": "Disculpe. No va a recibir más mensajes de este número.",
    },
    Meaning.WHO_IS_THIS: {
        "en": "A computer sends these messages. If you did not ask for them, reply STOP and they end.",
        "es": "Una computadora envía estos mensajes. Si no los pidió, responda ALTO y se terminan.",
    },
}


def meaning_of(text: str) -> Meaning:
    """What the words mean; who asks to be left alone is understood in more words than the one."""
    words = folded(text)
    alone = re.sub(r"[^a-z]", "", words)
    for meaning, commands in _COMMANDS.items():
        if alone in commands:
            return meaning
    if _STOP_PHRASES.search(words) or re.match(
        r"^(please |por favor )?(stop|alto|unsubscribe|basta)\b", words
    ):
        return Meaning.STOP
    if _WRONG.search(words):
        return Meaning.WRONG_NUMBER
    return Meaning.WHO_IS_THIS if _WHO.search(words) else Meaning.OTHER


def is_spanish(text: str, known: str) -> bool:
    """True where the words, or else the language we wrote in, are Spanish."""
    words = set(re.findall(r"[a-z]+", folded(text)))
    spanish = {
        "alto",
        "parar",
        "pare",
        "basta",
        "baja",
        "ayuda",
        "iniciar",
        "numero",
        "preferencias",
        "opciones",
        "elegir",
        "quien",
        "no",
        "es",
        "si",
        "de",
    }
    english = {"stop", "help", "start", "wrong", "number", "who", "this", "the", "is", "you"} | {
        "prefs",
        "options",
    }
    if words & spanish and not words & english:
        return True
    return known == "es" and not words & english


def answer(meaning: Meaning, *, is_spanish: bool, link: str = "") -> str:
    """What they hear in return, "" for nothing; who may not choose here hears what everybody hears who asks for help."""
    if meaning is Meaning.CHOOSE and not link:
        meaning = Meaning.HELP
    return _ANSWERS.get(meaning, {}).get("es" if is_spanish else "en", "").replace("{link}", link)


def twiml(text: str) -> str:
    """The answer as the API reads it."""
    message = f"<Message>{escape(text)}</Message>" if text else ""
    return f'<?xml version="1.0" encoding="UTF-8"?><Response>{message}</Response>'


def folded(text: str) -> str:
    """Lower case, without accents, one space between words."""
    bare = unicodedata.normalize("NFKD", text)
    return " ".join("".join(char for char in bare if not unicodedata.combining(char)).lower().split())


def signature(auth_token: str, url: str, fields: Sequence[tuple[str, str]]) -> str:
    """X-Twilio-Signature: HMAC-SHA1 over the URL and the fields in order of their names.

    https://www.twilio.com/docs/usage/security
    """
    signed = url + "".join(f"{name}{value}" for name, value in sorted(set(fields)))
    digest = hmac.new(auth_token.encode(), signed.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def is_signed(auth_token: str, url: str, fields: Sequence[tuple[str, str]], given: str) -> bool:
    """True where whoever posted knows the account's token."""
    return hmac.compare_digest(signature(auth_token, url, fields).encode(), given.encode())
