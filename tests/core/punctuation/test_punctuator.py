import numpy as np
import pytest

from streamasr.core.punctuation.punctuator import Punctuator, Written, decide
from streamasr.core.punctuation.scores import LOOKS, SCORES
from streamasr.core.punctuation.tokens import PAUSE, Case, Mark
from tests.core.punctuation.networks import WildNetwork

SAID = "well i do not know what you mean by that said she and went"
WORDS = SAID.split(" ")


@pytest.mark.parametrize("waits", [1, 2])
def test_more_words_change_only_the_answers_that_still_wait(waits: int) -> None:
    punctuator = Punctuator(WildNetwork())
    whole, _ = punctuator.read(WORDS, punctuator.start, waits=waits)
    for count in range(len(WORDS)):
        part, _ = punctuator.read(WORDS[:count], punctuator.start, waits=waits)
        sure = max(0, count - waits)
        assert part[:sure] == whole[:sure]
        cases = max(0, count - waits + 1)
        assert [w.case for w in part[:cases]] == [w.case for w in whole[:cases]]


def test_a_text_in_pieces_is_the_text_as_a_whole() -> None:
    punctuator = Punctuator(WildNetwork(7))
    whole, end = punctuator.read(WORDS, punctuator.start)
    _, memory = punctuator.read(WORDS[:6], punctuator.start)
    rest, last = punctuator.read(WORDS[6:], memory)
    assert rest == whole[6:]
    assert last[0] == end[0]


def test_each_answer_is_read_from_the_latest_scores_that_may_be_waited_for() -> None:
    scores = np.zeros((4, SCORES), np.float32)
    near, far = LOOKS
    scores[1, near.marks.start + Mark.COMMA] = 1  # after token 0, at once
    scores[2, far.marks.start + Mark.STOP] = 1  # after token 0, later
    scores[3, near.marks.start + Mark.QUESTION] = 1  # after token 2: no later word tells more
    scores[1, near.cases.start + Case.CAPITAL] = 1
    scores[2, far.cases.start + Case.UPPER] = 1
    assert decide(scores)[0] == Written(Mark.STOP, Case.LOWER)
    assert decide(scores)[1].case is Case.UPPER
    assert decide(scores)[2].mark is Mark.QUESTION
    assert decide(scores, waits=1)[0].mark is Mark.COMMA
    assert decide(scores, waits=1)[1].case is Case.CAPITAL
    assert decide(scores)[3].mark is Mark.NONE


def test_nothing_said_is_nothing_written_and_changes_no_memory() -> None:
    punctuator = Punctuator(WildNetwork())
    assert punctuator.read([], punctuator.start) == ([], punctuator.start)
    one, _ = punctuator.read([PAUSE], punctuator.start)
    assert one[0].mark is Mark.NONE
