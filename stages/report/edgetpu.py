"""What the Edge TPU is predicted to make of each int8 file: operators it takes, bytes on the chip, how long it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict

from stages.report.table import NOT_APPLICABLE, Cell, Table, derived, predicted, word

if TYPE_CHECKING:
    from stages.report.gather import Artifact, Gathered

MEBIBYTE = 1 / 2**20


def predictions(gathered: Gathered) -> Table:
    """One row for each file that is meant for the Edge TPU; everything in it is predicted."""
    titles = ["mapped", "first blocker", "parameters, MiB", "streamed, MiB", "latency, ms", "energy, mJ", "bound by"]
    table = Table("edgetpu", "Edge TPU, predicted", ["model", "recipe", *titles], words=2)
    for artifact in gathered.of("check"):
        judged, told = artifact.read_json("check.json"), artifact.read_json("estimate.json")
        table.rows.append(
            [
                word(artifact.axis("model")),
                word(artifact.axis("recipe")),
                _mapped(artifact, judged),
                _blocker(judged),
                predicted(artifact, "predicted_parameter_bytes", "{:.2f}", MEBIBYTE),
                _streamed(told),
                predicted(artifact, "predicted_latency_ms", "{:.1f}"),
                predicted(artifact, "predicted_energy_mj", "{:.0f}"),
                _bound(told),
            ]
        )
    return table


def _mapped(artifact: Artifact, judged: Dict[str, Any]) -> Cell:
    text = "%d of %d" % (judged["mapped"], judged["operators"])
    return Cell(text, judged["mapped"], "predicted", title=artifact.label, artifact=artifact)


def _blocker(judged: Dict[str, Any]) -> Cell:
    blocker = judged["first_blocker"]
    if blocker is None:
        return Cell("none", "")
    return Cell("%s, %s" % (blocker["operator"], blocker["layer"]), blocker["index"], title=blocker["reason"])


def _streamed(told: Dict[str, Any]) -> Cell:
    if not told:
        return NOT_APPLICABLE
    return derived(told["streamed_bytes"] * MEBIBYTE, "{:.2f}", "parameters that do not fit on the chip")


def _bound(told: Dict[str, Any]) -> Cell:
    if not told:
        return NOT_APPLICABLE
    parts = ", ".join("%s %.2f ms" % part for part in sorted(told["parts_ms"].items()))
    return Cell(told["bound"], told["bound"], title=parts)
