"""Sets every cell of the paper's tables beside ours, each with a verdict or the reason why there is none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, List, Optional

from stages.paper import verdicts
from stages.paper.places import spots
from stages.paper.verdicts import Comparison, Ours
from stages.report import tdp

if TYPE_CHECKING:
    from stages.paper.places import Spot
    from stages.paper.published import Published
    from stages.report.energy import Energy
    from stages.report.gather import Artifact, Gathered

PERCENT = 100


@dataclass(frozen=True)
class Replay:
    """The paper's values and the artifacts that are set beside them; `energies` are those of the benchmarks, by key."""

    published: Published
    gathered: Gathered
    energies: Dict[str, Energy]

    def table(self, name: str) -> List[Comparison]:
        """Compare a table: `accuracy` in %, `latency` in ms, or `energy` in mJ."""
        return [self._compared(spot) for model in self.gathered.models for spot in spots(name, model)]

    def _compared(self, spot: Spot) -> Comparison:
        published = self.published.value(spot.table, spot.model, spot.column)
        artifact = spot.place.find(self.gathered, spot.model)
        ours = None if artifact is None else self._ours(spot, artifact)
        energy = self.energies.get(artifact.key) if artifact is not None and spot.table == "energy" else None
        if artifact is None or ours is None:
            why = self._why_missing(spot, artifact)
            verdict = verdicts.of_missing(published, tried=why is not None)
            return Comparison(spot, published, None, verdict, why or spot.place.why_not_run(), energy)
        if spot.table == "accuracy":
            half_width = self.published.half_width(published.value) if published else 0.0
            return Comparison(spot, published, ours, verdicts.of_accuracy(published, ours, half_width))
        verdict = verdicts.of_duration(published, ours, self._bar(spot, artifact))
        return Comparison(spot, published, ours, verdict, energy=energy)

    def _bar(self, spot: Spot, artifact: Artifact) -> str:
        """Say what forbids to judge a duration, or an energy, which is one times a TDP that both sides share."""
        kind, name = tdp.named(artifact)
        if not _is_same(self.published.processor(spot.column), name):
            return verdicts.OTHER_HARDWARE
        if spot.table == "energy" and self.energies[artifact.key].processor.watts != self.published.watts(spot.column):
            return verdicts.OTHER_TDP
        if kind == "cpu":
            return verdicts.NO_THREADS
        same_size = self.published.input_size(spot.model) == input_size(self.gathered, spot.model)
        return "" if same_size else verdicts.OTHER_SIZE

    def _ours(self, spot: Spot, artifact: Artifact) -> Optional[Ours]:
        if spot.table == "accuracy":
            return _accuracy(artifact, spot.place.metric)
        return _latency(artifact) if spot.table == "latency" else self._energy(artifact)

    def _energy(self, artifact: Artifact) -> Optional[Ours]:
        """Give the proxy with the spread of the latency; None where the processor's TDP is not known."""
        proxy, latency = self.energies[artifact.key].proxy_mj, _latency(artifact)
        if proxy is None or latency is None:
            return None
        std = None if latency.std is None else latency.std * proxy / latency.value
        return Ours(proxy, artifact, n=latency.n, std=std)

    def _why_missing(self, spot: Spot, artifact: Optional[Artifact]) -> Optional[str]:
        if artifact is not None and spot.table == "energy":
            return self.energies[artifact.key].no_proxy
        return spot.place.why_missing(self.gathered, spot.model)


def input_size(gathered: Gathered, model: str) -> Optional[int]:
    """Edge in pixels of the images that a model sees."""
    trained = gathered.find("train", model=model)
    return None if trained is None else int(trained.read_json("model.json")["input_size"])


def _is_same(published: str, ours: str) -> bool:
    """Whether every word of the paper's name of a processor stands in ours, which says more, and ours is no slice."""
    wanted, found = (set(re.findall(r"\w+", name.lower())) for name in (published, ours))
    return wanted <= found and not tdp.is_slice(ours)


def _accuracy(artifact: Artifact, metric: str) -> Optional[Ours]:
    told = artifact.number(metric)
    if told is None:
        return None
    low, high = told["interval"] or (None, None)
    in_percent = [None if value is None else PERCENT * value for value in (low, high)]
    return Ours(PERCENT * told["value"], artifact, told["n"], *in_percent)


def _latency(artifact: Artifact) -> Optional[Ours]:
    mean, std = artifact.number("latency_mean_ms"), artifact.number("latency_std_ms")
    return None if mean is None else Ours(mean["value"], artifact, mean["n"], std=std["value"] if std else None)
