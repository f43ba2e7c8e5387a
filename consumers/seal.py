"""Checkpoints hold pickles, and unpickling runs what it is told: none is read that the key has not sealed.

A seal is HMAC-SHA256 over the checkpoint and the place it belongs to, so that neither a changed checkpoint nor
another task's passes.
"""

import hashlib
import hmac
import os
import secrets
import shlex
from pathlib import Path

from stream.errors import StateError

KEY_BYTES = 32
MAC_BYTES = 32


def default_key_file() -> Path:
    """Where the key is kept unless a setting says otherwise: in the user's state folder, readable by the user only."""
    home = os.environ.get("XDG_STATE_HOME")
    base = Path(home) if home else Path.home() / ".local" / "state"
    return base / "rotwatch" / "checkpoint.key"


def make_key(path: Path) -> None:
    """Make a file with one new key where there is none; raises StateError where that cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written whole beside its place and then linked into it: two processes that start together get one key.
        beside = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        if not path.exists():
            beside.write_bytes(b"")
            beside.chmod(0o600)
            beside.write_text(secrets.token_hex(KEY_BYTES) + "\n", "ascii")
            try:
                os.link(beside, path)
            except FileExistsError:
                pass
            finally:
                beside.unlink()
    except OSError as error:
        raise StateError(f"the checkpoint key {path} cannot be made: {error.strerror}") from error


def load_keys(path: Path, what: str = "checkpoint key") -> list[bytes]:
    """The keys in a file, one a line in hexadecimal; of several the first seals, all open. Raises StateError.

    To change the checkpoint key: the new one below the old one, wherever the key is; then above it; and when every
    checkpoint that the old one sealed is gone, without it.
    """
    try:
        lines = [line.strip() for line in path.read_text("ascii").splitlines() if line.strip()]
        keys = [bytes.fromhex(line) for line in lines]
    except FileNotFoundError as error:
        where = shlex.quote(str(path))
        raise StateError(
            f"the {what} {path} is not there. Copy it from where the other workers have it; if there never was "
            f"one, make it: openssl rand -hex {KEY_BYTES} > {where} && chmod 600 {where}"
        ) from error
    except OSError as error:
        raise StateError(f"the {what} {path} cannot be read: {error.strerror}") from error
    except ValueError:
        raise StateError(
            f"the {what} {path} must have one key a line, {KEY_BYTES} bytes or more in hexadecimal "
            "(openssl rand -hex 32 makes one)"
        ) from None
    if not keys or any(len(key) < KEY_BYTES for key in keys):
        raise StateError(f"the {what} {path} must have at least one key, each of {KEY_BYTES} bytes or more")
    return keys


def seal(key: bytes, place: str, payload: bytes) -> bytes:
    """The payload with its seal in front.

    >>> unseal(b"k" * 32, "spam/0/7", seal(b"k" * 32, "spam/0/7", b"state"))
    b'state'
    """
    return _mac(key, place, payload) + payload


def unseal(key: bytes, place: str, sealed: bytes) -> bytes:
    """The payload of a sealed checkpoint; raises StateError where the seal is not this key's for this place."""
    mac, payload = sealed[:MAC_BYTES], sealed[MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(key, place, payload)):
        raise StateError(
            f"the checkpoint at {place} is not sealed with our key: damaged, moved, or sealed with another "
            "(worker.checkpoint_key_file)"
        )
    return payload


def _mac(key: bytes, place: str, payload: bytes) -> bytes:
    head = place.encode()
    mac = hmac.new(key, len(head).to_bytes(4, "big") + head, hashlib.sha256)
    mac.update(payload)
    return mac.digest()
