import hashlib
import logging
from pathlib import Path

import pytest

from streamasr.edge.admission import MINTED_S, Admission, Tokens
from streamasr.edge.settings import load
from streamasr.errors import ConfigError


def token_file(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    hashed = hashlib.sha256(b"hidden").hexdigest()
    text = f"# who may come in\n\n  plain \nsha256:{hashed}\nlänger\n"
    return Tokens.from_file(token_file(tmp_path / "tokens", text))


@pytest.mark.parametrize("token", ["plain", "hidden", "länger"])
def test_tokens_of_the_file_are_accepted(tokens: Tokens, token: str) -> None:
    assert tokens.accept(token)


@pytest.mark.parametrize("token", ["", "plai", "plain ", "# who may come in", "\udcff", "a" * 9999])
def test_other_tokens_are_not(tokens: Tokens, token: str) -> None:
    assert not tokens.accept(token)


def test_a_digest_is_not_a_token(tokens: Tokens) -> None:
    assert not tokens.accept("sha256:" + hashlib.sha256(b"hidden").hexdigest())


@pytest.mark.parametrize("text", ["", "# only this\n\n", "sha256:12\n"])
def test_a_file_without_a_token_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="token"):
        Tokens.from_file(token_file(tmp_path / "tokens", text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="missing-tokens"):
        Tokens.from_file(tmp_path / "missing-tokens")


def test_a_file_that_everybody_can_read_is_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        Tokens.from_file(token_file(tmp_path / "tokens", "secret\n", 0o644))
    assert "chmod 640" in caplog.text
    assert "secret" not in caplog.text


def test_a_file_for_a_group_is_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        Tokens.from_file(token_file(tmp_path / "tokens", "secret\n", 0o640))
    assert not caplog.text


def test_the_token_comes_in_the_header_or_in_the_query(tokens: Tokens) -> None:
    door = Admission(tokens=tokens, origins=(), is_local=True)
    assert door.refuse({"authorization": "Bearer plain"}, "") is None
    assert door.refuse({"authorization": "bearer plain"}, "token=wrong") is None
    assert door.refuse({}, "a=b&token=l%C3%A4nger") is None


def test_a_token_comes_in_the_way_of_each_protocol(tokens: Tokens) -> None:
    door = Admission(tokens=tokens, origins=(), is_local=True)
    offered = "sec-websocket-protocol"
    assert door.refuse({"authorization": "Token plain"}, "") is None
    assert door.refuse({offered: "token, plain"}, "") is None
    assert door.refuse({offered: "realtime, openai-insecure-api-key.plain, other"}, "") is None
    assert door.refuse({offered: "plain"}, "") is not None
    assert door.refuse({offered: "token"}, "") is not None
    assert door.refuse({offered: "realtime, openai-insecure-api-key.wrong"}, "") is not None


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({}, ""),
        ({}, "token="),
        ({}, "Token=plain"),
        ({"authorization": "Basic plain"}, ""),
        ({"authorization": "Bearer"}, ""),
        ({"authorization": "Bearer wrong"}, "token=plain"),
    ],
)
def test_no_token_is_401(tokens: Tokens, headers: dict[str, str], query: str) -> None:
    refusal = Admission(tokens=tokens, origins=(), is_local=True).refuse(headers, query)
    assert refusal is not None
    assert refusal.status == 401
    assert "Bearer" in refusal.remedy


@pytest.mark.parametrize(
    "origin",
    ["http://localhost:8000", "https://127.0.0.1", "http://[::1]:3000", "https://LISTED.example"],
)
def test_pages_of_this_machine_and_listed_ones_may_connect(origin: str) -> None:
    door = Admission(tokens=None, origins=["https://listed.example/"], is_local=True)
    assert door.refuse({"origin": origin, "host": "127.0.0.1:2700"}, "") is None


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://localhost.evil.example", "", "http://[", "file://"],
)
@pytest.mark.parametrize("is_local", [True, False])
def test_other_pages_may_not(origin: str, is_local: bool) -> None:
    door = Admission(tokens=None, origins=(), is_local=is_local)
    refusal = door.refuse({"origin": origin, "host": "asr.example:2700"}, "")
    assert refusal is not None
    assert refusal.status == 403


def test_a_page_of_our_own_host_may_connect_unless_we_are_local() -> None:
    headers = {"origin": "http://asr.example:2700", "host": "asr.example:2700"}
    assert Admission(tokens=None, origins=(), is_local=False).refuse(headers, "") is None
    assert Admission(tokens=None, origins=(), is_local=True).refuse(headers, "") is not None


def test_programs_send_no_origin() -> None:
    assert Admission.from_settings(load()).refuse({"host": "x"}, "") is None


def test_a_secret_opens_the_door_until_it_expires(tokens: Tokens) -> None:
    secret, expires = tokens.mint(1000.5)
    assert expires == 1000 + MINTED_S
    assert tokens.accept_minted(secret, expires - 1)
    assert not tokens.accept_minted(secret, expires)
    later = secret.replace(str(expires), str(expires + 9))
    kind = secret.replace("ek_", "sk_")
    for other in (later, kind, secret + "0", secret[:-1], "ek__", "ek_x_y", "", "\ud800", "1" * 99):
        assert not tokens.accept_minted(other, 0.0)
    assert not Tokens(()).accept_minted(secret, 0.0)


def test_who_knows_the_hashes_alone_cannot_make_a_secret(tmp_path: Path) -> None:
    file = token_file(tmp_path / "tokens", "sha256:" + "0a" * 32)
    for key in (b"", b"k" * 32):
        secret, _ = Tokens.from_file(file).mint(1000)
        assert not Tokens.from_file(file, key).accept_minted(secret, 1000)
    secret, _ = Tokens.from_file(file, b"k" * 32).mint(1000)
    assert Tokens.from_file(file, b"k" * 32).accept_minted(secret, 1000)
    assert not Tokens([b"another token"], b"k" * 32).accept_minted(secret, 1000)


def test_several_daemons_share_a_key_by_the_token_file(tmp_path: Path) -> None:
    text = "sha256:" + "0a" * 32
    file = token_file(tmp_path / "tokens", f"{text}\nkey: long and random\n")
    secret, _ = Tokens.from_file(file).mint(1000)
    assert Tokens.from_file(file, b"k" * 32).accept_minted(secret, 1000)
    assert not Tokens.from_file(file).accept("key: long and random")
    other = token_file(tmp_path / "other", f"{text}\nkey: another one\n")
    assert not Tokens.from_file(other).accept_minted(secret, 1000)
    with pytest.raises(ConfigError, match="no token"):
        Tokens.from_file(token_file(tmp_path / "empty", "key: x\n"))
