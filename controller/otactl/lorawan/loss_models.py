"""Models fragment loss between gateway and devices.

1. `Independent`: each fragment is lost with one probability, whatever became of the one before.
2. `Bursts`: two states (Gilbert-Elliott). In the good one nothing is lost, in the bad one everything; the mean loss and
   the mean length of a bad stretch fix it.
3. `Outage` is shared: a stretch of fragments no one hears (a gateway restarts, a duty-cycle stop), so it hits every
   device of a fleet at once and their fates are no longer independent.
"""

from __future__ import annotations

import msgspec

from otactl.lorawan.errors import LorawanError


class Independent(msgspec.Struct, frozen=True):
    """Every fragment is lost alone; `loss` is a probability, 0 to below 1."""

    loss: float

    def __post_init__(self) -> None:
        """Refuse what is no probability, and certain loss."""
        _check_loss(self.loss)


class Bursts(msgspec.Struct, frozen=True):
    """Fragments are lost in stretches of `mean_length` fragments on average, `loss` of them over all."""

    loss: float
    mean_length: float

    def __post_init__(self) -> None:
        """Refuse a stretch shorter than one fragment, and a loss that would need negative time in between."""
        _check_loss(self.loss)
        if not 1 <= self.mean_length <= 10_000:
            raise LorawanError(f"a burst of {self.mean_length:g} fragments cannot be; choose 1 to 10000")
        if self.entering > 1:
            raise LorawanError(
                f"a loss of {self.loss:g} in bursts of {self.mean_length:g} leaves no time between them; "
                f"choose a loss of at most {self.mean_length / (1 + self.mean_length):g} or longer bursts"
            )

    @property
    def leaving(self) -> float:
        """Return the probability that a bad stretch ends with a fragment."""
        return 1 / self.mean_length

    @property
    def entering(self) -> float:
        """Return the probability that a bad stretch starts after a good fragment."""
        return self.loss / (self.mean_length * (1 - self.loss))


Loss = Independent | Bursts


def described(loss: Loss) -> str:
    """Return a loss as people read it."""
    bursts = f" in bursts of {loss.mean_length:g}" if isinstance(loss, Bursts) else ""
    return f"{100 * loss.loss:g} % loss{bursts}"


class Outage(msgspec.Struct, frozen=True):
    """With `probability`, one stretch of `fragments`, anywhere in the session, is heard by no one."""

    fragments: int
    probability: float

    def __post_init__(self) -> None:
        """Refuse an outage of nothing, and a probability that is none."""
        if self.fragments < 1 or not 0 < self.probability <= 1:
            raise LorawanError(
                f"an outage of {self.fragments} fragments with probability {self.probability:g} cannot be; "
                "choose at least 1 fragment and a probability above 0 up to 1"
            )


def _check_loss(loss: float) -> None:
    if not 0 <= loss < 1:  # also refuses nan
        raise LorawanError(f"a loss of {loss:g} cannot be planned with; it is a probability from 0 to below 1")
