"""Self-signed certificates for a broker on this machine and its clients, made by openssl when a test needs them."""

import shutil
import subprocess
from pathlib import Path

from tests.broker.errors import BrokerError


class Certificates:
    """An authority, a broker's certificate for 127.0.0.1 and localhost, and a client's; all good for a day.

    Parameters
    ----------
    folder
        Where the PEM files go: ``authority`` signs both ``broker`` (key and certificate in one file, as Kafka wants
        them) and ``client`` (``client_key`` apart, as Python wants it).
    """

    def __init__(self, folder: Path) -> None:
        self.authority = folder / "authority.pem"
        self.broker = folder / "broker.pem"
        self.client = folder / "client.pem"
        self.client_key = folder / "client-key.pem"
        self._folder = folder
        authority_key = folder / "authority-key.pem"
        _openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=rotwatch test authority"),
            *("-addext", "keyUsage=critical,keyCertSign", "-keyout", str(authority_key), "-out", str(self.authority)),
        )
        broker_key, broker = folder / "broker-key.pem", folder / "broker-certificate.pem"
        self._issue("broker", broker_key, broker, authority_key, "subjectAltName=IP:127.0.0.1,DNS:localhost")
        self.broker.write_bytes(broker_key.read_bytes() + broker.read_bytes())
        self._issue("client", self.client_key, self.client, authority_key, "extendedKeyUsage=clientAuth")

    def listener(self, name: str) -> dict[str, str]:
        """A listener's properties: it shows the broker's certificate and trusts the authority's clients."""
        return {
            f"listener.name.{name.lower()}.ssl.{key}": value
            for key, value in {
                "keystore.type": "PEM",
                "keystore.location": str(self.broker),
                "truststore.type": "PEM",
                "truststore.location": str(self.authority),
            }.items()
        }

    def _issue(self, name: str, key: Path, certificate: Path, authority_key: Path, extension: str) -> None:
        request, extensions = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        extensions.write_text(f"{extension}\n", "utf-8")
        _openssl(
            *("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", str(key), "-out", str(request)),
        )
        _openssl(
            *("x509", "-req", "-days", "1", "-in", str(request), "-extfile", str(extensions), "-CAcreateserial"),
            *("-CA", str(self.authority), "-CAkey", str(authority_key), "-out", str(certificate)),
        )


def _openssl(*arguments: str) -> None:
    program = shutil.which("openssl")
    if program is None:
        raise BrokerError("there is no openssl in PATH: install it (Debian: apt-get install openssl)")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BrokerError(f"openssl {' '.join(arguments)} failed: {done.stderr[-1_000:]}")
