"""Which given names are short for which: English and Spanish, only where clerks really write one for the other."""

from __future__ import annotations

# formal: its short forms.  A short form under several formal names is ambiguous: it decides nothing by itself.
_SHORT_FORMS = """
alexander: alex xander sasha
alexandra: alex sandra lexi
alexis: alex lexi
alberto: beto
andrew: andy drew
anthony: tony
antonio: tony tono
antonia: toni tona
barbara: barb barbie
benjamin: ben benny
bernard: bernie
catherine: cathy kate katie cat
katherine: kathy kate katie kat
charles: charlie chuck chas
christina: chris tina chrissy
christine: chris tina chrissy
christopher: chris kit topher
concepcion: concha conchita
cynthia: cindy
daniel: dan danny
david: dave davey
deborah: deb debbie
dolores: lola
donald: don donnie
dorothy: dot dottie
edward: ed eddie ted ned
eduardo: lalo
elizabeth: liz beth betty lizzie betsy
enrique: quique
eugene: gene
felipe: pipe
florence: flo
francis: frank fran
francisco: paco pancho frank cisco
frederick: fred freddy
gabriel: gabe
gabriela: gaby
gerald: gerry jerry
gregory: greg
guadalupe: lupe lupita
guillermo: memo
harold: hal
henry: hank
hector: tito
ignacio: nacho
isabel: isa chabela
jacob: jake
james: jim jimmy jamie
jeffrey: jeff
jennifer: jen jenny
jesus: chuy
john: johnny
jonathan: jon nathan
joseph: joe joey
jose: pepe
josefina: pepa fina
joshua: josh
judith: judy
kenneth: ken kenny
lawrence: larry
leonard: leo len lenny
leonardo: leo
leticia: lety
lorenzo: lencho
luis: lucho
manuel: manny manolo
margaret: maggie meg peggy marge
margarita: rita mago
maria: mari
matthew: matt
michael: mike mikey mick
nancy: nan
nathaniel: nate nathan
nicholas: nick nicky
nicolas: nico
pamela: pam
patricia: pat patty tricia paty
patrick: pat paddy
peter: pete
philip: phil
rafael: rafa
ramon: moncho
raymond: ray
rebecca: becky
richard: rick rich dick ricky
robert: bob rob bobby robbie
roberto: beto
rodolfo: rudy
ronald: ron ronnie
rosario: chayo charo
samantha: sam
samuel: sam sammy
santiago: santi
sergio: checo
socorro: coco
stephanie: steph
stephen: steve
steven: steve
susan: sue susie
teresa: tere terry
theodore: ted theo
theresa: terry tess
thomas: tom tommy
timothy: tim
victoria: vicky tori
vicente: chente
vincent: vince vinny
walter: walt
william: bill will billy willie
zachary: zach zack
"""


def _formals() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for line in _SHORT_FORMS.strip().splitlines():
        formal, _, shorts = line.partition(":")
        for short in shorts.split():
            found.setdefault(short, set()).add(formal)
    return {short: frozenset(formals) for short, formals in found.items()}


FORMALS = _formals()


def formals(given: str) -> frozenset[str]:
    """What the given name, normalized, can be short for; itself where it is short for nothing."""
    return FORMALS.get(given, frozenset({given}))


def is_nickname(one: str, other: str) -> bool:
    """True where one is short for the other, or both for one name, and for no other name."""
    mine, theirs = formals(one), formals(other)
    return one != other and len(mine) == 1 and mine == theirs


def may_be_nickname(one: str, other: str) -> bool:
    """True where the two can be one name, among other possibilities ("Alex": Alexander, Alexandra)."""
    return one != other and not formals(one).isdisjoint(formals(other))
