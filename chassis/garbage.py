"""How often a process looks for objects that hold each other; counting references frees all the others at once."""

import gc

# Objects made and not yet freed before a look. Python's own 700 makes it look some hundred times in each request, and
# what a request makes holds no cycles but those of an error that was caught.
_YOUNG = 50_000
_MIDDLE = 20
_OLD = 20


def look_seldom() -> None:
    """What the process has loaded is never looked at again, and what it makes from here on is looked at seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
