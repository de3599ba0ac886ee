"""Which model is in service and since when, and what the night shift does meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from streamspike.outputs.messages import iso_utc
from streamspike.outputs.web.answers import ModelAnswer, NightShiftAnswer


class ModelInService:
    """Belongs to the loop. Notices another model by its name, whoever put it there."""

    def __init__(self, name_of: Callable[[], str | None], now: Callable[[], float]) -> None:
        """
        Args:
            name_of: name and version as in events, `model@version` or `model@version+adapter@version`; None where no
                camera asks a model. Asked each time.
            now: UTC.
        """
        self._name_of = name_of
        self._now = now
        self._name = name_of()
        self._since = now()

    def look(self) -> bool:
        """Whether it is another one than at the last look."""
        name = self._name_of()
        if name == self._name:
            return False
        self._name, self._since = name, self._now()
        return True

    def answer(self, night_shift: Mapping[str, object] | None) -> ModelAnswer:
        """
        Args:
            night_shift: what `Store.night_shift` says of it.
        """
        self.look()
        base, _, adapter = (self._name or "").partition("+")
        return ModelAnswer(
            model=base or None,
            adapter=adapter or None,
            since=iso_utc(self._since) if self._name else None,
            night_shift=None if night_shift is None else NightShiftAnswer.model_validate(night_shift),
        )
