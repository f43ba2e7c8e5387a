"""What kafka-python 3.0.12 does wrong within its own walls, mended there; done once, when this is imported.

1. A connection that fails leaves its socket to the garbage collector, and a worker whose broker is away tries again
   and again: over a night, thousands of sockets. They are closed here.
2. Where somebody takes the connection and never answers to TLS, the client waits for ever, whatever its timeouts are.
3. A header's name that is no UTF-8 makes all of its partition unreadable: the client takes the record for corrupt and
   never gets past it. Java's client reads it. Here such a name is a text with surrogates in the place of its strange
   bytes, and gives the same bytes again when it is sent on.
4. Who asks for a partition's offsets, and knows the leader of before only, asks that one again and again, and never
   who leads now: until its metadata grow old, after five minutes. Here it asks for them with the first such answer.
"""

import ssl
import time
from functools import wraps
from typing import Any

from kafka.consumer.fetcher import Fetcher
from kafka.net.inet import KafkaNetSocket
from kafka.net.transport import KafkaSSLTransport
from kafka.record.default_records import DefaultRecordBatch

HANDSHAKE = 5.0
"""Seconds that a broker may take to agree on TLS."""


class Name(str):
    """A header's name, whatever its bytes are: the client encodes it without saying how errors are to be taken."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """The bytes that it was made of."""
        return super().encode(encoding, "surrogateescape")


class Lenient(bytearray):
    """The bytes of records, out of which names can be decoded in any case."""

    def __getitem__(self, at: Any) -> Any:
        """A byte, or a part that is lenient too."""
        found = super().__getitem__(at)
        return Lenient(found) if isinstance(at, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """As a name."""
        return Name(super().decode(encoding, "surrogateescape"))


def _mend_connections() -> None:
    connect = KafkaNetSocket.sock_connect

    @wraps(connect)
    async def sock_connect(self: Any, net: Any, sock: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await connect(self, net, sock, *args, **kwargs)
        except BaseException:
            sock.close()
            raise

    @wraps(KafkaSSLTransport.handshake)
    async def handshake(self: Any) -> None:
        timeout_at = time.monotonic() + HANDSHAKE
        try:
            while True:
                try:
                    self._sock.do_handshake()
                except ssl.SSLWantReadError:
                    await self._net.wait_read(self._sock, timeout_at=timeout_at)
                except ssl.SSLWantWriteError:
                    await self._net.wait_write(self._sock, timeout_at=timeout_at)
                else:
                    return
        except BaseException:
            self.close()
            raise

    KafkaNetSocket.sock_connect = sock_connect
    KafkaSSLTransport.handshake = handshake


def _mend_names() -> None:
    plain = DefaultRecordBatch.__next__

    @wraps(plain)
    def following(self: Any) -> Any:
        # Instead of the client's own, and not around it: that would cost each record 5% of its decoding.
        if self._next_record_index >= self._num_records:
            return plain(self)  # which ends it
        try:
            record = self._read_msg()
        except UnicodeDecodeError:
            self._buffer = Lenient(self._buffer)
            return plain(self)  # the place in the batch has not moved yet
        except (ValueError, IndexError):
            return plain(self)  # which finds the same, and has the words for it
        self._next_record_index += 1
        return record

    DefaultRecordBatch.__next__ = following


def _mend_offsets() -> None:
    plain = Fetcher._handle_list_offsets_response  # noqa: SLF001 - there is no other place to mend it

    @wraps(plain)
    def handle(self: Any, response: Any) -> Any:
        found, retry = plain(self, response)
        if retry:
            self._manager.cluster.request_update()
        return found, retry

    Fetcher._handle_list_offsets_response = handle  # noqa: SLF001 - as above


_mend_connections()
_mend_names()
_mend_offsets()
