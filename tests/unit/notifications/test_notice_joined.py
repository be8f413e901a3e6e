"""Two pseudonyms of one person: each silence holds for both, and undoing it leaves each as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.notifications.domain.intents import Channel, Intent
from services.notifications.domain.joined import Word, strictest, word_that_counts
from services.notifications.domain.notices import Reason
from services.notifications.domain.reach import Never, decide, reach_of
from services.notifications.domain.windows import Window
from services.notifications.domain.wishes import Wishes
from tests.unit.notifications.notice_builders import NOW, a_notice
from tests.unit.notifications.test_notice_to_peers import CARD

JOINED_MS = int(NOW.timestamp() * 1000)
_WORDS = st.lists(
    st.builds(Word, st.text("abc", min_size=1), st.integers(JOINED_MS - 9, JOINED_MS + 9), st.booleans()),
    min_size=1,
    max_size=5,
)


@given(words=_WORDS)
@settings(max_examples=60)
def test_before_the_merge_every_no_holds_and_after_it_the_newest_word(words):
    """A yes counts only if it is newer than the merge, or if nobody under either pseudonym ever said no."""
    counts = word_that_counts(words, NOW)
    newest = max(word.revision for word in words)
    if newest > JOINED_MS:
        said_last = [word.is_yes for word in words if word.revision == newest]
        assert counts.is_yes == all(said_last)
    else:
        assert counts.is_yes == all(word.is_yes for word in words)
    assert word_that_counts([], NOW) is None


def test_the_stricter_of_two_wishes_wins():
    """Do-not-contact, an erasure, unsafe times and who else reads are added up; one's own language stays."""
    night, noon = Window(21 * 60, 8 * 60), Window(12 * 60, 13 * 60)
    own = Wishes("peer_1", language="es", unsafe=(night,))
    other = Wishes("peer_2", language="pt", unsafe=(noon,), shared=(Channel.SMS,))
    both = strictest(own, [other])
    assert (both.person_id, both.language, both.is_do_not_contact) == ("peer_1", "es", False)
    assert (both.unsafe, both.shared) == ((night, noon), (Channel.SMS,))
    for silent in (replace(other, is_do_not_contact=True), replace(other, is_erased=True)):
        assert strictest(own, [silent]).is_do_not_contact


def test_a_silence_that_a_peer_asked_for_is_on_no_list_of_failures():
    """Somebody else reads their phone, or their wishes stand without a number: cancelled, and never dead."""
    notice = replace(
        a_notice(Intent.HELP_COMING, recipient_id="peer_1", contact_id="peer-contact:peer_1"),
        expires_at=NOW + timedelta(hours=1),
    )
    for reach in (
        reach_of(None, Wishes("peer_1", language="es")),
        reach_of(CARD, Wishes("peer_1", shared=(Channel.SMS,))),
    ):
        assert decide(notice, reach, NOW, is_stopped=False) == Never(Reason.DO_NOT_CONTACT, is_failure=False)
