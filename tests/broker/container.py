"""A broker in Docker, by testcontainers, whose own Kafka container knows only Confluent's image."""

import gc
import warnings
from typing import Any, Self

import docker
from docker.errors import DockerException, ImageNotFound
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer, ExecConfig
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from tests.broker import settings
from tests.broker.errors import BrokerError

IMAGE = "apache/kafka:4.1.0"

_PORT = 9092
_SCRIPT = "/tmp/start-kafka.sh"  # noqa: S108 - in the container, where nobody else is


class ApacheKafka(DockerContainer):
    """One broker and controller. Its published port is known, and can be advertised, only once the container runs;

    so the container waits for a start script, which ``start`` copies in.
    """

    def __init__(self, image: str = IMAGE, **more: Any) -> None:
        super().__init__(image, **more)
        self.with_exposed_ports(_PORT)
        # One KAFKA_ variable switches off all of the image's defaults.
        given = {
            "node.id": "0",
            "process.roles": "broker,controller",
            "controller.quorum.voters": "0@localhost:9093",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"CLIENT://:{_PORT},INNER://:19092,CONTROLLER://:9093",
            "listener.security.protocol.map": ",".join(f"{name}:{kind}" for name, kind in settings.LISTENERS.items()),
            "inter.broker.listener.name": "INNER",
            **settings.replication(1),
            **settings.QUICK,
        }
        for key, value in given.items():
            self.with_env(f"KAFKA_{key.replace('.', '_').upper()}", value)
        self.with_command(["sh", "-c", f"while ! [ -f {_SCRIPT} ]; do sleep 0.1; done; exec sh {_SCRIPT}"])

    @property
    def bootstrap(self) -> str:
        """host:port for clients on this machine."""
        return f"{self.get_container_host_ip()}:{self.get_exposed_port(_PORT)}"

    def start(self, timeout: float = 120.0) -> Self:
        """Start, and wait until the broker has started.

        Raises
        ------
        BrokerError
            Not in ``timeout`` seconds, or the engine refuses.
        """
        ready = LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(int(timeout))
        try:
            super().start()
            advertised = f"CLIENT://{self.bootstrap},INNER://localhost:19092"
            self._give(f"export KAFKA_ADVERTISED_LISTENERS={advertised}\nexec /etc/kafka/docker/run\n")
            ready.wait_until_ready(self)
        except (DockerException, RuntimeError, OSError) as error:  # a timeout is an OSError
            said = b"".join(self.get_logs())[-1_500:].decode("utf-8", "replace") if self._container else ""
            self.stop()
            raise BrokerError(f"{self.image} did not start: {error}\n{said}") from error
        return self

    def _give(self, script: str) -> None:
        """Whole at once, as the container looks for it: copied beside, then renamed."""
        self.copy_into_container(script.encode("utf-8"), f"{_SCRIPT}.part")
        renamed = self.exec(ExecConfig(["mv", f"{_SCRIPT}.part", _SCRIPT], user="root"))
        if renamed.exit_code != 0:
            raise RuntimeError(f"no start script: {renamed.output.decode('utf-8', 'replace')}")


def engine() -> docker.DockerClient:
    """The Docker engine that answers.

    Raises
    ------
    BrokerError
        None does.
    """
    refused = ""
    try:
        client = docker.from_env(timeout=10)
    except DockerException as error:
        refused = str(error)
    if refused:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()  # a client that finds no engine leaves its socket to the garbage collector, which warns of it
        raise BrokerError(f"no Docker engine answers ({refused})")
    try:
        client.ping()
    except (DockerException, OSError) as error:
        client.close()
        raise BrokerError(f"no Docker engine answers ({error})") from error
    return client


def present(client: docker.DockerClient, image: str) -> bool:
    """Whether the engine has an image, or can pull it now."""
    try:
        client.images.get(image)
    except ImageNotFound:
        try:
            client.images.pull(image)
        except (DockerException, OSError):
            return False
    return True


def start() -> ApacheKafka:
    """A started broker; ``stop`` removes it.

    Raises
    ------
    BrokerError
        There is no engine or no image, or the broker does not start.
    """
    client = engine()
    try:
        if not present(client, IMAGE):
            raise BrokerError(f"the Docker engine has no {IMAGE} and cannot pull it: docker pull {IMAGE}")
        # Ryuk removes what a killed test run leaves behind. Without its image the tests go on, and do not tidy up.
        if not testcontainers_config.ryuk_disabled and not present(client, testcontainers_config.ryuk_image):
            testcontainers_config.ryuk_disabled = True
    finally:
        client.close()
    return ApacheKafka().start()
