from __future__ import annotations

from streamasr.core.dialects.growing import Growing


def test_only_what_can_be_appended_is_sent() -> None:
    growing = Growing()
    texts = ["turn", "turn", "burn the", "turn the", "turn", "turn the light"]
    assert [growing.grow(text) for text in texts] == ["turn", "", "", " the", "", " light"]
    assert growing.sent == "turn the light"
