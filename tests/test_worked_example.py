"""The example of docs/ARCHITECTURE.md, carried through the core with its numbers."""

import numpy as np

from streamasr.core.events import Final, Partial, SpeechEnded, SpeechStarted
from streamasr.core.model import Emissions, ModelFacts
from streamasr.core.options import StreamOptions
from streamasr.core.stream import Stream
from streamasr.core.units import Units
from tests.fakes import silence, tone, tone_gate

UNITS = Units(("<blank>", "▁he", "ll", "o"))
FACTS = ModelFacts(
    name="example", units=UNITS, step_samples=1280, outputs_per_step=2, state_size=1, latency_ms=105
)
ANSWERS = [(0, 0)] * 4 + [(0, 0), (0, 1), (1, 0), (2, 0), (3, 0)]


def test_hello_goes_all_the_way_through() -> None:
    options = StreamOptions()
    stream = Stream(FACTS, options, gate=tone_gate(options))
    audio = np.concatenate([silence(0.5), tone(0.6), silence(1.0)])
    events, fresh, steps = [], [], 0
    for start in range(0, len(audio), 1600):
        stream.accept(audio[start : start + 1600])
        while (work := stream.take()) is not None:
            fresh.append(work.fresh)
            best = ANSWERS[steps] if steps < len(ANSWERS) else (0, 0)
            stream.push(Emissions(np.log(np.eye(4)[list(best)] * 0.96 + 0.01).astype(np.float32)))
            steps += 1
        events += stream.events()
    assert events[0] == SpeechStarted(0, 8000)
    assert [e.text for e in events if isinstance(e, Partial)] == ["he", "hell", "hello"]
    final, ended = events[-2:]
    assert isinstance(final, Final)
    assert (final.text, final.reason) == ("hello", "silence")
    assert ended == SpeechEnded(0, 17600)
    # 0.2 s to 1.5 s went in: 300 ms of pre-roll, 0.6 s of sound, 400 ms of waiting.
    assert steps == -(-round(1.3 * 16_000) // 1280) + FACTS.tail_steps
    assert fresh == [True] + [False] * (steps - 1)
