from __future__ import annotations

import numpy as np
import pytest

from streamasr.core.heard import FAINT, FORGOTTEN, FRESH, Heard
from streamasr.core.model import Emissions


@pytest.mark.parametrize("width", [200, 300])
def test_what_is_likely_comes_back_and_the_rest_is_faint(width: int) -> None:
    rng = np.random.default_rng(0)
    units = rng.uniform(-30, 0, (20, width)).astype(np.float32)
    phones = rng.uniform(-9, 0, (20, 40)).astype(np.float32)
    heard = Heard()
    for at in range(0, 20, 2):
        heard.push(Emissions(units[at : at + 2], phones[at : at + 2]))
    assert heard.emissions == 20
    assert heard.phones() == pytest.approx(phones, abs=0.005)
    back = heard.units(15)
    likely = units[:15] > FAINT
    assert back[likely] == pytest.approx(units[:15][likely], abs=0.005)
    assert np.all(back[~likely] == FORGOTTEN)


def test_units_may_come_half_as_often_as_phones() -> None:
    heard = Heard()
    units = np.arange(12, dtype=np.float32).reshape(6, 2) / -8
    for at in range(6):
        heard.push(Emissions(units[at : at + 1], np.zeros((2, 40), np.float32)))
    assert heard.emissions == 12
    assert len(heard.phones()) == 12
    for emissions, rows in ((0, 0), (1, 1), (2, 1), (3, 2), (12, 6)):
        np.testing.assert_array_equal(heard.units(emissions), units[:rows])


def test_nothing_heard() -> None:
    heard = Heard()
    assert heard.units(0).shape[0] == 0
    assert heard.memory_bytes == 0


def test_a_peaky_head_takes_little() -> None:
    heard = Heard()
    units = np.full((2, 256), -20.0, np.float32)
    units[:, 0] = -0.01
    for _ in range(100):
        heard.push(Emissions(units, np.zeros((2, 40), np.float32)))
    assert heard.memory_bytes < 200 * 100 + FRESH * (units.nbytes + 320)


@pytest.mark.parametrize("stretch", [1, 2])
def test_what_is_forgotten_is_gone_and_the_rest_is_as_it_was(stretch: int) -> None:
    rng = np.random.default_rng(0)
    units = rng.uniform(-30, 0, (30, 100)).astype(np.float32)
    phones = rng.uniform(-9, 0, (30 * stretch, 40)).astype(np.float32)
    heard, whole = Heard(), Heard()
    for at in range(30):
        step = Emissions(units[at : at + 1], phones[at * stretch : (at + 1) * stretch])
        heard.push(step)
        whole.push(step)
        if at in (10, 20):
            heard.forget((at - 3) * stretch)
    assert (heard.first, heard.emissions) == (17 * stretch, 30 * stretch)
    np.testing.assert_array_equal(heard.phones(), whole.phones()[17 * stretch :])
    np.testing.assert_array_equal(heard.units(28 * stretch), whole.units(28 * stretch)[17:])
    assert heard.memory_bytes < whole.memory_bytes
