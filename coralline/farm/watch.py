"""Looks after what has been handed over: moves what waits in the wrong place, and says why a step waits."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

from coralline.errors import EngineError
from coralline.farm import machine
from coralline.notices import Kind, Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from coralline.farm.hands import Handed, Hands
    from coralline.farm.roster import Farm

LOOK_EVERY_S = 1.0
SAY_AFTER_S = 10.0
MOVE_AFTER_S = 10.0  # what has just been handed over is on its way: a worker's first step imports all of this


class Watch:
    """A thread that looks at a farm and at what was handed over to it, once a second."""

    def __init__(self, farm: Farm, hands: Hands, notify: Callable[[Notice], None]) -> None:
        self._farm, self._hands, self._notify = farm, hands, notify
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="farm")
        self._lacked_s: dict[str, float] = {}
        self._heard = 0

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._over.set()
        self._thread.join(LOOK_EVERY_S)  # it may wait for a scheduler that hangs

    def _run(self) -> None:
        """Look until the end, or until nobody will come any more."""
        try:
            while not self._over.wait(LOOK_EVERY_S):
                self._move()
                self._say()
        except EngineError as error:
            self._hands.give_up(error)

    def _move(self) -> None:
        """Hand over once more what Dask gave up, and what waits while a worker has room for it: one step to each."""
        for given_up in self._hands.given_up():
            self._hands.hand(given_up)
        now, offers, handed = time.monotonic(), self._farm.workers(), self._hands.handed()
        waiting = [one for one in handed if one.worker not in offers and now - one.handed_s > MOVE_AFTER_S * one.times]
        for address, offer in offers.items():
            left = _left(offer, [one.wanted for one in handed if one.worker == address])
            fitting = next((one for one in waiting if self._fits(one, left)), None)
            if fitting is not None:
                waiting.remove(fitting)
                self._hands.hand(fitting, address)

    def _fits(self, handed: Handed, left: Mapping[str, float]) -> bool:
        """Tell whether a step fits into what is left of a worker; its memory counts as that of the largest there is."""
        most = self._farm.most_memory_gib()
        wanted = {**handed.wanted, machine.MEMORY: min(most, handed.wanted[machine.MEMORY])}
        return all(amount <= left.get(name, 0.0) for name, amount in wanted.items())

    def _say(self) -> None:
        """Say, once it lasts, that nobody is there or nobody with a device, and what a batch system refuses."""
        lacking = self._lacking()
        self._lacked_s = {what: self._lacked_s.get(what, 0.0) + LOOK_EVERY_S for what in lacking}
        for what, lasted_s in self._lacked_s.items():
            if lasted_s == SAY_AFTER_S:
                waits = f"; waiting for one: {', '.join(lacking[what])}" if lacking[what] else ""
                self._notify(Notice(kind=Kind.NOTE, text=what + waits))
        for refusal in dict.fromkeys(self._farm.refused[self._heard :]):
            self._notify(Notice(kind=Kind.WARNING, text=f"{self._farm.kind} refuses a job: {refusal}"))
        self._heard = len(self._farm.refused)
        if self._heard and self._farm.lacking in lacking:
            refused = f"{self._farm.kind} refuses to start a worker: {self._farm.refused[-1]}"
            hint = "mend ~/.config/dask/jobqueue.yaml; docs/how-to/farm.md shows one"
            self._hands.give_up(EngineError(refused, hint=hint))

    def _lacking(self) -> dict[str, list[str]]:
        """Return what is waited for, in words, and by which steps: a device that went; a worker: by all (empty)."""
        handed = self._hands.handed()
        if handed and not self._farm.workers():
            return {self._farm.lacking: []}
        missing: dict[str, list[str]] = {}
        for one in handed:
            need = one.step.variant.needs
            reason = self._farm.device_missing(need) if need else None
            if reason is not None:
                missing.setdefault(f"{reason} any more", []).append(one.step.label)
        return missing


def _left(offer: Mapping[str, float], taken: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return what is left of what a worker offers."""
    return {name: amount - sum(one.get(name, 0.0) for one in taken) for name, amount in offer.items()}
