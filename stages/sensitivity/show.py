"""What the report shows of a network's sensitivity: layers in order of their loss, and the loss along the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Sequence, Tuple

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stages.drawing import COLOURS, MARKERS, STYLE, as_svg
from stages.section import Section, SectionFigure, SectionTable

if TYPE_CHECKING:
    from pathlib import Path

FIGURE = "figures/sensitivity.svg"
LEAST = 1e-7  # nats: where the axis ends below
LONGEST = 60  # characters of a layer's name; all of it is in sensitivity.json


def show(out: Path, told: Dict[str, Any]) -> None:
    """Write the section with its figure."""
    (out / "figures").mkdir()
    (out / FIGURE).write_text(_figure(told["layers"]), encoding="utf-8")
    reference = told["float32"]
    text = [
        "Each layer's weights alone were rounded, with a scale for each channel; all else stayed float32.",
        "%d images that training kept for validation; float32 has a %s of %.3f [%.3f, %.3f] on them."
        % (told["images"], told["metric"].replace("_", " "), reference["score"], *reference["interval"]),
    ]
    text += [_ranking(one) for one in told["rankings"]]
    figure = SectionFigure(FIGURE, "KL divergence from float32 with one layer at few bits, in the order of the layers")
    Section("Sensitivity to few bits", text, [_table(told["layers"])], [figure]).write(out)


def _ranking(one: Dict[str, Any]) -> str:
    """Say whether the smooth measure and the one that counts rank layers alike."""
    if one["spearman"] is None:
        return "At %d bits all layers lose alike, by KL or by score, so the two cannot be compared." % one["bits"]
    return "At %d bits the rankings by KL and by lost score agree to %.2f (Spearman)." % (
        one["bits"],
        one["spearman"],
    )


def _table(layers: Sequence[Dict[str, Any]]) -> SectionTable:
    """One row for each layer, the most sensitive at the widest width first."""
    widths = [one["bits"] for one in layers[0]["widths"]]
    columns = ["layer", "operator", "weights"]
    columns += [title % bits for bits in widths for title in ("KL at %d", "score at %d", "bytes at %d")]
    ordered = sorted(layers, key=lambda layer: -layer["widths"][0]["divergence"])
    rows: List[List[Any]] = [
        [_short(layer["name"]), layer["operator"], layer["weights"], *_cells(layer["widths"])] for layer in ordered
    ]
    return SectionTable("Layers by what they lose", columns, rows, "KL is in nats, a mean over the images.")


def _cells(widths: Sequence[Dict[str, Any]]) -> List[Any]:
    return [one[name] for one in widths for name in ("divergence", "score", "weight_bytes")]


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "\u2026"


def _figure(layers: Sequence[Dict[str, Any]]) -> str:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 3.6), layout="constrained")
        axes = figure.add_subplot()
        for number, bits in enumerate(one["bits"] for one in layers[0]["widths"]):
            points = _points(layers, number)
            axes.plot(
                *points, MARKERS[number % len(MARKERS)], color=COLOURS[number], label="%d bits" % bits, markersize=4
            )
        axes.set_yscale("log")
        axes.set(xlabel="layer", ylabel="KL from float32, nats")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(visible=True)
        axes.legend()
        return as_svg(figure, "sensitivity")


def _points(layers: Sequence[Dict[str, Any]], number: int) -> Tuple[List[int], List[float]]:
    values = [max(LEAST, layer["widths"][number]["divergence"]) for layer in layers]
    return list(range(1, len(values) + 1)), values
