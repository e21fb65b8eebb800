"""Where speech is heard: in a room, in noise, both or neither.

    place = Surroundings(snr_db=10.0, noise=Path("noise")).open()
    samples = place.put(samples, "1089-134686-0000")

A recording lies in the same room and the same noise whenever it is put there under its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamasr.app.mixing import add_noise, load_noises, loop_to
from streamasr.app.rooms import add_room, load_rooms
from streamasr.errors import UsageError

Floats = NDArray[np.float32]
RT60_MARGIN_S = 0.15


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A room, noise, both or neither; UsageError for half of one."""

    snr_db: float | None = None
    noise: Path | None = None
    """Folder of recorded noise."""
    rt60_s: float | None = None
    """Reverberation of the rooms to speak in, within `RT60_MARGIN_S`."""
    rooms: Path | None = None
    """Folder of impulse responses; see `app.rooms.load_rooms`."""

    def __post_init__(self) -> None:
        if (self.rt60_s is None) != (self.rooms is None):
            raise UsageError("--rt60 and --rooms belong together", remedy="give both or none")
        if (self.snr_db is None) != (self.noise is None):
            raise UsageError("--snr and --noise belong together", remedy="give both or none")

    @property
    def name(self) -> str:
        """Empty where there are none."""
        noise = "" if self.snr_db is None else f"_snr{self.snr_db:g}"
        room = "" if self.rt60_s is None else f"_rt60_{self.rt60_s:g}"
        return room + noise

    def open(self) -> Place:
        """Read the sounds; raises ConfigError where there are none."""
        noises = [] if self.noise is None else load_noises(self.noise)
        rooms: list[Floats] = []
        if self.rooms is not None and self.rt60_s is not None:
            least, most = (self.rt60_s + side * RT60_MARGIN_S for side in (-1, 1))
            rooms = load_rooms(self.rooms, least, most)
        return Place(self.snr_db, noises, rooms)


@dataclass(frozen=True, slots=True)
class Place:
    """Surroundings whose sounds are read."""

    snr_db: float | None
    noises: list[Floats]
    rooms: list[Floats]

    def put(self, samples: Floats, name: str) -> Floats:
        """The samples as they are heard there; ``name`` draws the room and the noise."""
        rng = np.random.default_rng(int.from_bytes(name.encode()[-6:], "big"))
        if self.snr_db is not None:
            noise = loop_to(self.noises[int(rng.integers(len(self.noises)))], len(samples), rng)
        if self.rooms:
            samples = add_room(samples, self.rooms[int(rng.integers(len(self.rooms)))])
        if self.snr_db is not None:
            samples = add_noise(samples, noise, self.snr_db)
        return samples
