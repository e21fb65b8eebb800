"""NVIDIA's realtime client: riva_client.py HOST:PORT FILE.wav, prints the text.

Does what its own script realtime_asr_client.py does with a file and no other arguments.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import wave

from riva.client.realtime import RealtimeClientASR  # type: ignore[import-not-found]


async def main(server: str, path: str) -> None:
    with wave.open(path) as file:
        rate, channels = file.getframerate(), file.getnchannels()
        audio = file.readframes(file.getnframes())
    arguments = argparse.Namespace(
        server=server,
        endpoint="/v1/realtime",
        query_params="intent=transcription",
        use_ssl=False,
        ssl_root_cert=None,
        ssl_client_cert=None,
        ssl_client_key=None,
        mic=False,
        sample_rate_hz=rate,
        num_channels=channels,
        language_code="en-US",
        word_time_offsets=False,
        start_history=-1,
        start_threshold=-1.0,
        stop_history=-1,
        stop_history_eou=-1,
        stop_threshold=-1.0,
        stop_threshold_eou=-1.0,
    )
    client = RealtimeClientASR(arguments)
    await client.connect()
    pieces = [audio[at : at + 3200] for at in range(0, len(audio), 3200)]
    await asyncio.gather(client.send_audio_chunks(pieces), client.receive_responses())
    await client.disconnect()
    print(client.final_transcript)


asyncio.run(main(sys.argv[1], sys.argv[2]))
