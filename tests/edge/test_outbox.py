import asyncio

from streamasr.core.events import Final, Gap, Partial
from streamasr.core.messages import ServerMessage
from streamasr.edge.outbox import Outbox


def partial(utterance: int, text: str) -> Partial:
    return Partial(utterance, text, 0, 1)


def final(utterance: int) -> Final:
    return Final(utterance, "text", 0, 1, (), 1.0, "finish")


async def test_messages_come_out_in_order() -> None:
    outbox = Outbox(bound=9)
    messages: list[ServerMessage] = [
        Gap(0, 1),
        partial(0, "a"),
        final(0),
        partial(1, "b"),
        final(1),
    ]
    for message in messages:
        outbox.put(message)
    assert [(await outbox.get())[0] for _ in messages] == messages


async def test_a_waiting_partial_is_replaced_by_the_next_of_its_utterance() -> None:
    outbox = Outbox(bound=9)
    for text in ("a", "ab", "abc"):
        outbox.put(partial(0, text))
    assert len(outbox) == 1
    assert await outbox.get() == (partial(0, "abc"), 0)


async def test_partials_of_other_channels_stay_with_their_channel() -> None:
    outbox = Outbox(bound=9)
    outbox.put(partial(0, "left"), 0)
    outbox.put(partial(0, "right"), 1)
    outbox.put(partial(0, "right now"), 1)
    assert [await outbox.get() for _ in range(2)] == [
        (partial(0, "left"), 0),
        (partial(0, "right now"), 1),
    ]


async def test_partials_of_other_utterances_and_finals_stay() -> None:
    outbox = Outbox(bound=2)
    messages: list[ServerMessage] = [partial(0, "a"), partial(1, "b"), final(1), final(2), final(3)]
    for message in messages:
        outbox.put(message)
    assert outbox.is_full
    assert [(await outbox.get())[0] for _ in messages] == messages
    assert not outbox.is_full


async def test_it_is_full_when_it_holds_as_many_as_it_may() -> None:
    outbox = Outbox(bound=2)
    outbox.put(Gap(0, 1))
    assert not outbox.is_full
    outbox.put(Gap(1, 1))
    assert outbox.is_full


async def test_a_reader_that_waits_is_woken() -> None:
    outbox = Outbox(bound=9)
    reader = asyncio.create_task(outbox.get())
    await asyncio.sleep(0)
    outbox.put(Gap(0, 1))
    outbox.put(Gap(1, 1))
    assert await reader == (Gap(0, 1), 0)
    assert await outbox.get() == (Gap(1, 1), 0)


async def test_a_reader_that_gave_up_costs_no_message() -> None:
    outbox = Outbox(bound=9)
    reader = asyncio.create_task(outbox.get())
    await asyncio.sleep(0)
    reader.cancel()
    await asyncio.wait([reader])
    outbox.put(Gap(0, 1))
    assert await outbox.get() == (Gap(0, 1), 0)
