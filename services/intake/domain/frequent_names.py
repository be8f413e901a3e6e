"""Names so common that sharing one says little; the sources are named in docs/linkage.md."""

from __future__ import annotations

# Two hundred surnames known to be frequent in the USA (docs/linkage.md says where from).
_FAMILY = """
smith johnson williams brown jones garcia miller davis rodriguez martinez hernandez lopez gonzalez wilson
anderson thomas taylor moore jackson martin lee perez thompson white harris sanchez clark ramirez lewis
robinson walker young allen king wright scott torres nguyen hill flores green adams nelson baker hall rivera
campbell mitchell carter roberts gomez phillips evans turner diaz parker cruz edwards collins reyes stewart
morris morales murphy cook rogers gutierrez ortiz morgan cooper peterson bailey reed kelly howard ramos kim cox
ward richardson watson brooks chavez wood james bennett gray mendoza ruiz hughes price alvarez castillo sanders
patel myers long ross foster jimenez powell jenkins perry russell sullivan bell coleman butler henderson barnes
gonzales fisher vasquez simmons romero jordan patterson alexander hamilton graham reynolds griffin wallace
moreno west cole hayes bryant herrera gibson ellis tran medina aguilar stevens murray ford castro marshall
owens harrison fernandez mcdonald woods washington kennedy wells vargas henry chen freeman webb tucker guzman
burns crawford olson simpson porter hunter gordon mendez silva shaw snyder mason dixon munoz hunt hicks holmes
palmer wagner black robertson boyd rose stone salazar fox warren mills meyer rice schmidt garza daniels
ferguson nichols stephens soto weaver ryan gardner payne grant dunn kelley spencer hawkins li wang singh khan ali
"""
# Given names that many people of some decade had (docs/linkage.md), and
# their Spanish neighbors.
_GIVEN = """
james john robert michael william david richard joseph thomas charles christopher daniel matthew anthony mark
donald steven paul andrew joshua kenneth kevin brian george timothy ronald edward jason jeffrey ryan jacob gary
nicholas eric jonathan stephen larry justin scott brandon benjamin samuel gregory alexander frank patrick
raymond jack dennis jerry tyler aaron jose adam nathan henry juan carlos luis jesus antonio miguel angel
francisco pedro jorge manuel mario victor roberto ricardo fernando rafael eduardo sergio alejandro javier
mary patricia jennifer linda elizabeth barbara susan jessica sarah karen lisa nancy betty margaret sandra ashley
kimberly emily donna michelle carol amanda dorothy melissa deborah stephanie rebecca sharon laura cynthia
kathleen amy angela shirley anna brenda pamela emma nicole helen samantha katherine christine debra rachel
carolyn janet catherine maria heather diane ruth julie olivia joyce virginia victoria kelly lauren christina
joan evelyn judith andrea hannah megan ana rosa guadalupe carmen juana martha gloria teresa margarita alejandra
veronica leticia silvia mohammed muhammad ahmed ali
"""
# First halves of double names: brothers and sisters, twins too, share them ("Maria Elena", "Maria Jose").
_COMPOUND = "maria jose juan ana mary marie jean luis rosa anne anna mohammed muhammad abdul"

FREQUENT_FAMILY = frozenset(_FAMILY.split())
FREQUENT_GIVEN = frozenset(_GIVEN.split())
COMPOUND_FIRST = frozenset(_COMPOUND.split())
