"""The notifications service: the right person hears, safely, once."""
