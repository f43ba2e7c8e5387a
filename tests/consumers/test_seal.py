"""Seals of checkpoints, and the key that makes them."""

import os
import stat
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.seal import KEY_BYTES, default_key_file, load_keys, make_key, seal, unseal
from stream.errors import StateError

KEY = bytes(range(32))


@given(payload=st.binary(max_size=300), place=st.text(max_size=40))
def test_what_was_sealed_comes_back(payload: bytes, place: str) -> None:
    assert unseal(KEY, place, seal(KEY, place, payload)) == payload


@given(payload=st.binary(max_size=64), bit=st.integers(min_value=0))
def test_a_single_changed_bit_is_noticed(payload: bytes, bit: int) -> None:
    sealed = bytearray(seal(KEY, "spam/0/1", payload))
    sealed[bit // 8 % len(sealed)] ^= 1 << bit % 8
    with pytest.raises(StateError):
        unseal(KEY, "spam/0/1", bytes(sealed))


def test_a_seal_is_good_for_its_own_place_only() -> None:
    sealed = seal(KEY, "spam/0/1", b"state")
    for place in ("spam/0/2", "spam/1/1", "fraud/0/1", "", "spam/0/1/"):
        with pytest.raises(StateError, match="not sealed with our key"):
            unseal(KEY, place, sealed)


def test_place_and_payload_cannot_be_shifted_into_each_other() -> None:
    with pytest.raises(StateError):
        unseal(KEY, "a", seal(KEY, "ab", b"c")[:32] + b"bc")


def test_another_key_and_what_is_too_short_to_hold_a_seal_are_refused() -> None:
    sealed = seal(KEY, "spam/0/1", b"state")
    for key, content in ((bytes(32), sealed), (KEY, b""), (KEY, sealed[:31]), (KEY, b"state")):
        with pytest.raises(StateError):
            unseal(key, "spam/0/1", content)


def test_a_key_is_made_once_readable_by_its_user_only_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "checkpoint.key"
    make_key(path)
    [key] = load_keys(path)
    assert len(key) == KEY_BYTES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    make_key(path)
    assert load_keys(path) == [key]
    assert [found.name for found in path.parent.iterdir()] == ["checkpoint.key"]


def test_keys_differ_from_machine_to_machine(tmp_path: Path) -> None:
    for name in ("one", "two"):
        make_key(tmp_path / name)
    assert load_keys(tmp_path / "one") != load_keys(tmp_path / "two")


def test_processes_that_start_together_get_one_key(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.key"
    found: list[bytes] = []
    gate = threading.Barrier(8)

    def load() -> None:
        gate.wait()
        make_key(path)
        found.extend(load_keys(path))

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert set(found) == {bytes.fromhex(path.read_text())}


def test_the_first_of_several_keys_is_the_one_that_seals(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.key"
    path.write_text(f"\n{'ab' * 32}\n  {'CD' * 40}  \n\n")
    assert load_keys(path) == [b"\xab" * 32, b"\xcd" * 40]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "at least one key"),
        (b"\n \n", "at least one key"),
        (b"ab" * 31, "each of 32 bytes or more"),
        (b"ab" * 32 + b"\n" + b"ab", "each of 32 bytes or more"),
        (b"abc" * 32 + b"d", "in hexadecimal"),
        (b"secret!" * 9, "openssl rand -hex 32"),
        (b"\xff" * 32, "openssl rand -hex 32"),
    ],
)
def test_a_file_that_holds_no_good_keys_is_refused_by_name_and_not_shown(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "checkpoint.key"
    path.write_bytes(content)
    with pytest.raises(StateError, match=rf"checkpoint\.key must have .*{said}") as raised:
        load_keys(path)
    assert "secret" not in str(raised.value)


def test_a_key_that_can_be_neither_read_nor_made_is_one_known_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StateError, match="cannot be made"):
        make_key(tmp_path / "file" / "checkpoint.key")
    with pytest.raises(StateError, match="cannot be read"):
        load_keys(tmp_path)


def test_a_key_that_is_missing_is_said_with_how_to_make_one(tmp_path: Path) -> None:
    path = tmp_path / "it's none"
    with pytest.raises(StateError, match="is not there") as raised:
        load_keys(path)
    command = str(raised.value).split("make it: ")[1]
    subprocess.run(command, shell=True, check=True)  # noqa: S602 - the very words of the message
    assert len(load_keys(path)) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_key_lives_in_the_users_state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_key_file() == tmp_path / "rotwatch" / "checkpoint.key"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_key_file() == tmp_path / ".local" / "state" / "rotwatch" / "checkpoint.key"
    assert os.environ["HOME"] == str(tmp_path)
