"""What quantisation did to the networks, remedy by remedy, and which activations it left far from the float ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterator, Sequence, Tuple

from stages.report.table import NOT_APPLICABLE, Cell, Table, word

if TYPE_CHECKING:
    from stages.report.gather import Artifact, Gathered

FRACTION = "{:.3f}"
FINE = "{:.4f}"
SCORES = (
    ("iou", "IoU", FRACTION),
    ("balanced_accuracy", "balanced accuracy", FRACTION),
    ("agreement", "agreement", FRACTION),
    ("regret", "regret", FINE),
    ("divergence", "divergence, nats", FINE),
)
LONGEST_NAME = 60  # characters of a tensor's name; the whole stands in its title


def remedies(gathered: Gathered) -> Table:
    """One row for each remedy on the way to the chosen file, scored on the judging images."""
    found = list(_searched(gathered))
    scores = [one for one in SCORES if any(one[0] in told["float32"] for _, told in found)]
    titles = [name for _, name, _ in scores]
    table = Table("quantisation", "Quantisation", ["model", "recipe", "after", *titles], words=3)
    for artifact, told in found:
        steps = [{"remedy": "float32", **told["float32"]}, *told["remedies"]]
        rows = [[*_axes(artifact), word(step["remedy"]), *_scores(artifact, step, scores)] for step in steps]
        table.rows += rows
    return table


def activations(gathered: Gathered) -> Table:
    """One row for each of the noisiest activations of the chosen files."""
    columns = ["model", "recipe", "activation", "operator", "main reason", "signal to noise, dB"]
    table = Table("activations", "Noisiest activations", columns, words=5)
    for artifact, told in _searched(gathered):
        for one in told["worst_activations"]:
            noise = one["signal_to_noise_db"]
            table.rows.append(
                [
                    *_axes(artifact),
                    _name(one["tensor"]),
                    word("%s, %d" % (one["operator"], one["place"])),
                    word(one["reason"]),
                    Cell("%.1f" % noise, noise, "number", title=artifact.label, artifact=artifact),
                ]
            )
    return table


def _searched(gathered: Gathered) -> Iterator[Tuple[Artifact, Dict[str, Any]]]:
    for artifact in gathered.of("convert"):
        told = artifact.read_json("conversion.json").get("quantisation")
        if told:
            yield artifact, told


def _axes(artifact: Artifact) -> Tuple[Cell, Cell]:
    return word(artifact.axis("model")), word(artifact.axis("recipe"))


def _scores(artifact: Artifact, step: Dict[str, Any], scores: Sequence[Tuple[str, str, str]]) -> Iterator[Cell]:
    for name, _, form in scores:
        yield (
            NOT_APPLICABLE
            if name not in step
            else Cell(form.format(step[name]), step[name], "number", title=artifact.label, artifact=artifact)
        )


def _name(tensor: str) -> Cell:
    """Shorten the name of a tensor, which lists all layers that were fused into its operator."""
    first = tensor.partition(";")[0]
    return Cell(first if len(first) <= LONGEST_NAME else first[: LONGEST_NAME - 1] + "\u2026", first, title=tensor)
