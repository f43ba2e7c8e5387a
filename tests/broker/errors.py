"""The one error of everything here."""


class BrokerError(RuntimeError):
    """There is no broker to be had this way, or it broke: the message says why and what to do."""
