"""A user's model that cannot take some events, as there are."""

from typing import Any

from river import base, linear_model

from stream.config import Stream

UNSCORED, UNLEARNED = 1e6 + 1, 1e6 + 2
"""Values of ``n`` with which it breaks: when it scores, when it learns."""


class Breaking(linear_model.LogisticRegression):
    """Raises where it should not."""

    def predict_proba_one(self, x: dict[Any, Any], **more: Any) -> dict[Any, float]:
        """The probability of each class; breaks on UNSCORED."""
        if x["n"] == UNSCORED:
            raise ZeroDivisionError(f"I cannot score {x['n']}")
        return super().predict_proba_one(x, **more)  # type: ignore[no-any-return]

    def learn_one(self, x: dict[Any, Any], y: Any, **more: Any) -> None:
        """Learn; breaks on UNLEARNED."""
        if x["n"] == UNLEARNED:
            raise ZeroDivisionError(f"I cannot learn from {x['n']}")
        super().learn_one(x, y, **more)


def breaking(_stream: Stream) -> base.Estimator:
    """The factory that settings name."""
    return Breaking()
