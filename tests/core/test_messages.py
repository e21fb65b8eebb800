from dataclasses import is_dataclass

from streamasr.core.messages import CLIENT_TYPES, ERRORS, NAMES, REASONS, SERVER_TYPES


def test_no_two_messages_share_a_type_or_a_class() -> None:
    assert not set(CLIENT_TYPES) & set(SERVER_TYPES)
    assert len(NAMES) == len(CLIENT_TYPES) + len(SERVER_TYPES)
    assert all(is_dataclass(cls) for cls in NAMES)


def test_close_codes_are_ones_that_an_application_may_send() -> None:
    for code, _ in [*ERRORS.values(), *REASONS.values()]:
        assert code in (1000, 1001, 1009, 1011, 1013) or 4000 <= code < 5000


def test_every_error_that_a_client_can_cause_has_its_own_close_code() -> None:
    codes = [code for code, _ in ERRORS.values()]
    assert len(codes) == len(set(codes))
