"""Kill -9 of the sidecar in a loop: what got a 250 is in the inbox once."""

import pytest
from sidecar_crashes import kill_sidecar_under_load

KILLS = 50


@pytest.mark.flow
def test_every_acknowledged_mail_is_there_once_when_the_sidecar_is_killed_again_and_again() -> None:
    """`make bench-crash` does the same and tells the figures."""
    outcome = kill_sidecar_under_load(KILLS)
    assert outcome.lost == []
    assert outcome.stored_twice == []
    assert outcome.acknowledged > KILLS
    assert outcome.unanswered > 0, "no kill met a mail on its way"
