"""Which events reviewers are asked to label: a random share, and on top of it those on which the models disagree."""

from typing import Literal

from stream.errors import SettingError
from stream.sample import REQUEST, drawn

Why = Literal["random", "disagreement"]


class Requests:
    """Chooses by a seeded hash of the event id: the same events in every run, and no others for what they hold.

    ``share``: of all events, chosen at random. ``disagreements``: those on which the models disagree are wanted, too.
    With the others counted as no gap they give the paired evidence all that it needs of models that are as they are;
    nothing can be said by them of one model alone, so whoever uses a label should know why it was asked for. An event
    that is both is random: the random share stays one of all events. An online model that learns from disagreements
    becomes a worse one than from all labels, and a better one than from the random share alone: on Enron's 27,993 mails
    it makes 649 errors with 2,431 labels, 421 with all, and 1,424 with the 315 of a share of 1%
    (bench/rot_unlabelled.py). Reviewers who see what a model said tend to repeat it: do not show them that, nor why
    they are asked.

    Raises SettingError for a share that is none.

    >>> requests = Requests(share=0.1, disagreements=True, seed=7)
    >>> [requests.wanted(f"mail {at}", disagree=at == 3) for at in range(6)]
    [None, None, None, 'disagreement', 'random', None]
    """

    def __init__(self, share: float = 0.01, *, disagreements: bool = False, seed: int = 1) -> None:
        if not 0.0 <= share <= 1.0:
            raise SettingError("share", share, "from 0 to 1")
        self._share = share
        self._disagreements = disagreements
        self._seed = seed

    def wanted(self, event_id: str, *, disagree: bool) -> Why | None:
        """Why a label of the event is wanted; None where it is not. ``disagree``: whether the models do."""
        if drawn(REQUEST, event_id, self._share, self._seed):
            return "random"
        return "disagreement" if disagree and self._disagreements else None
