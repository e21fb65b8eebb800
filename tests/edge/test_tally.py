from __future__ import annotations

from streamasr.edge.tally import SPAWN, Tally, shared


def test_a_daemon_without_workers_counts_for_itself() -> None:
    tally = Tally()
    tally.update(streams=3, room=10)
    assert (tally.streams, tally.room, tally.workers) == (3, 10, 1)


def _count(tally: Tally) -> None:
    tally.update(streams=5, room=7)


def test_workers_see_each_other_and_forget_the_dead() -> None:
    counts = shared(2)
    one, two = Tally(counts, 0), Tally(counts, 1)
    one.update(streams=2, room=4)
    process = SPAWN.Process(target=_count, args=(two,))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert (one.streams, one.room, one.workers) == (7, 11, 2)
    one.clear(1)
    assert (one.streams, one.room) == (2, 4)
