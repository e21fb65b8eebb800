"""Each rule fires when all its conditions hold, and the first that fires is named."""

from __future__ import annotations

import pytest

from streamasr.core.endpoint import EndpointRule, Evidence, Outlook, endpoint, endpoint_rules

SECOND = 16_000
RULES = endpoint_rules(
    trailing_blank={"open": 1200 * 16, "unfinished": 2000 * 16, "over": 400 * 16},
    max_length=30 * SECOND,
)


@pytest.mark.parametrize(
    ("length_s", "blank_ms", "has_text", "reason"),
    [
        (5, 1199, True, None),
        (5, 1200, True, "trailing_blank"),
        (5, 1200, False, None),  # nobody has spoken yet: wait
        (23.9, 400, True, None),
        (24, 399, True, None),
        (24, 400, True, "length"),
        (24, 400, False, "length"),
        (26.9, 399, True, None),
        (27, 200, True, "length"),
        (27, 199, True, None),
        (29.9, 0, True, None),
        (30, 0, True, "length"),
        (30, 1200, True, "trailing_blank"),
    ],
)
def test_rules(length_s: float, blank_ms: int, has_text: bool, reason: str | None) -> None:
    evidence = Evidence(round(length_s * SECOND), blank_ms * 16, has_text)
    assert endpoint(RULES, evidence) == reason


@pytest.mark.parametrize(
    ("outlook", "blank_ms"), [("over", 400), ("open", 1200), ("unfinished", 2000)]
)
def test_what_may_follow_decides_how_long_to_wait(outlook: Outlook, blank_ms: int) -> None:
    length = 5 * SECOND
    assert endpoint(RULES, Evidence(length, blank_ms * 16 - 1, True, outlook)) is None
    assert endpoint(RULES, Evidence(length, blank_ms * 16, True, outlook)) == "trailing_blank"


def test_no_rule_never_ends() -> None:
    assert endpoint((), Evidence(10**9, 10**9, True)) is None


def test_an_empty_rule_always_holds() -> None:
    assert EndpointRule("length").holds(Evidence(0, 0, False))
