"""Which labels are evidence, where a label is likelier of some events than of others: a sample in which all are alike.

Where alerted events are inspected and others hardly, labelled events are no fair sample. A stream that states with each
label the probability p with which its event gets one has a fair one all the same: of the labels with probability p the
share p0 / p is drawn by a hash of the event's id, p0 being the least that there is. Every event is then in the sample
with probability p0, whatever it is and whatever a model says of it (rejection sampling, J. von Neumann, Various
techniques used in connection with random digits, 1951). Weights p0 / p in place of a draw (D. G. Horvitz and D. J.
Thompson 1952; anytime-valid: I. Waudby-Smith, L. Wu, A. Ramdas, N. Karampatziakis and P. Mineiro, Anytime-valid
off-policy inference for contextual bandits, 2022) would lose nothing of the labels: docs/decisions/0009 says what the
draw costs and why it is taken. Where reviewers are asked for labels of disagreements, those that chance chose are the
sample.
"""

from sklearn.utils import murmurhash3_32

from stream.config import Stream

RANGE = 1 << 32

REQUEST = "label request"
"""What those are drawn for whose labels reviewers are asked for."""


def drawn(purpose: str, event_id: str, share: float, seed: int) -> bool:
    """Whether an event is among those that chance draws for a purpose: the same in every run, whatever they hold.

    Draws for different purposes have nothing to do with one another. ``share``: of all events, from 0 to 1.

    >>> sum(drawn("example", f"event {at}", 0.25, seed=1) for at in range(10_000))
    2497
    """
    named = f"{purpose}:{event_id}".encode(errors="surrogatepass")
    place: int = murmurhash3_32(named, seed % RANGE, positive=True)
    return place < round(share * RANGE)


class Sample:
    """Says of a label whether it is in the sample that is judged by; the same in every run, by the stream's seed."""

    def __init__(self, stream: Stream) -> None:
        labels = stream.labels
        self._least = labels.least_inspection_probability
        self._share = labels.request_share if labels.request_disagreements else None
        self._seed = stream.seed

    @property
    def stated(self) -> bool:
        """Whether labels say with which probability they come."""
        return self._least is not None

    def takes(self, event_id: str, probability: float = 1.0) -> bool:
        """Whether an event's label is taken; ``probability``: with which such events get one, as stated."""
        if self._least is not None:
            return drawn("inspected label", event_id, min(1.0, self._least / probability), self._seed)
        return self._share is None or drawn(REQUEST, event_id, self._share, self._seed)
