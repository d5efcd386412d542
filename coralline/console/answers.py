"""Print what is known of a TFLite file or compiler log as people read it: the answers of `question.ask` as text."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any

from coralline.console import logtext, show_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MEBIBYTE = 2**20
LONGEST_NAME = 48
FITS = {
    True: "which fit on the chip",
    False: "which do not fit on the chip",
    None: "which may fit on the chip: program and activations take a part of it",
}
SLOWEST = 10  # layers shown of an estimate
MOST_IMAGES = 10  # images shown on which runtimes decide differently


def show_check(name: str, told: Mapping[str, Any]) -> None:
    """Print whether and how a file will be compiled: the first blocker, and which operators go where."""
    share = f"{100 * told['share_of_work']:.0f} % of the arithmetic"
    print(f"{name}: {told['mapped']} of {told['operators']} operators on the Edge TPU, {share} (predicted)")
    if told["reason"]:
        print(f"does not compile: {told['reason']}")
    if told["first_blocker"]:
        print(_blocker("first blocker", told["first_blocker"]))
    parameters, activations = told["parameters"], told["activations"]
    print(
        f"parameters {_mebibytes(parameters['bytes'])}, {FITS[parameters['fits']]}; "
        f"largest activations {_mebibytes(activations['largest_bytes'])} of {_mebibytes(activations['budget_bytes'])}"
    )
    for change in told.get("changes", ()):
        print("changed " + ", ".join(f"{key} {value}" for key, value in change.items()))
    if "proof" in told:
        print(f"written {told['fixed']}: {_proof(told['proof'])}")
    for warning in told["warnings"]:
        print(f"warning {warning}")
    print()
    show_table(["operators", "device", "what", "layer", "why"], list(_spans(told["rows"])), disable_numparse=True)


def show_inspection(name: str, told: Mapping[str, Any]) -> None:
    """Print what a compiled file holds and what one inference moves over the bus."""
    left = ", ".join(f"{kind} {count}" for kind, count in told["cpu_operators"].items()) or "none"
    facts = [
        ["compiler (internal name)", told["compiler"]],
        ["oldest runtime", told["min_runtime_version"]],
        ["Edge TPU operators", told["subgraphs"]],
        ["operators on the CPU", left],
        ["parameters on the chip", _bytes(told["cached_bytes"])],
        ["parameters streamed each time", _bytes(told["streamed_bytes"])],
        ["instructions sent each time", _bytes(told["instruction_bytes"])],
        ["scratch memory of the host", _bytes(told["scratch_bytes"])],
        ["activation memory per tile", _bytes(told["narrow_bytes_per_tile"])],
        ["cycles by the compiler", told["estimated_cycles"] or "not stated"],
    ]
    print(name)
    show_table([], facts, tablefmt="plain", disable_numparse=True)
    for check in told["checks"]:
        print(f"{'ok     ' if check['ok'] else 'refused'} {check['name']}: {check['found']}")


def show_estimate(name: str, told: Mapping[str, Any]) -> None:
    """Print a predicted latency with its interval, where the time goes, and what would change it."""
    latency, energy = told["latency_ms"], told["energy_mj"]
    print(
        f"{name}: {latency['value']:.1f} ms [{latency['low']:.1f}, {latency['high']:.1f}] predicted, "
        f"{energy['value']:.0f} mJ [{energy['low']:.0f}, {energy['high']:.0f}] "
        f"(USB {told['usb']}, {told['clock']} clock)"
    )
    held, streamed = _mebibytes(told["cached_bytes"]), _mebibytes(told["streamed_bytes"])
    print(f"bound by {told['bound']}; parameters on the chip {held}, streamed {streamed}")
    show_table(["where the time goes", "ms"], [[k, f"{v:.2f}"] for k, v in told["parts_ms"].items()])
    slowest = sorted(told["layers"], key=lambda entry: -max(entry["compute_ms"], entry["stream_ms"]))[:SLOWEST]
    cells = [
        [e["index"], e["operator"], _short(e["layer"]), f"{e['compute_ms']:.2f}", f"{e['stream_ms']:.2f}", e["bound"]]
        for e in slowest
    ]
    print()
    show_table(["operator", "kind", "layer", "compute ms", "stream ms", "bound by"], cells, disable_numparse=True)
    for text in told["advice"]:
        print(f"advice  {text}")


def show_log(name: str, told: Mapping[str, Any]) -> None:
    """Print what the compiler said of each model."""
    print(name, *logtext.lines(told), sep="\n")


def show_paper(told: Mapping[str, Any]) -> None:
    """Print Table 1 in short: for each model the paper's values, ours made in its way, and ours, with verdicts."""
    print(f"{told['source']}, balanced accuracy, %: the paper's, ours made in its way, ours")
    print(told["lead"])
    columns = told["columns"]["accuracy"]
    cells = [row for model in told["models"] for row in _paper_rows(told, model, columns)]
    show_table(["model", "values", *columns], cells, disable_numparse=True)


def _paper_rows(told: Mapping[str, Any], model: str, columns: Sequence[str]) -> Iterable[list[str]]:
    cells = [cell for cell in told["tables"]["accuracy"] if cell["model"] == model]
    for values in ("paper", "ours, its way", "ours"):
        way = "ours" if values == "ours" else "paper"
        chosen = {cell["column"]: cell for cell in cells if cell["way"] in (way, "both")}
        show = _published if values == "paper" else _ours
        yield [told["models"][model], values, *(show(chosen[column]) for column in columns)]


def _published(cell: Mapping[str, Any]) -> str:
    return "-" if cell["published"] is None else f"{cell['published']['value']:.2f}"


def _ours(cell: Mapping[str, Any]) -> str:
    return cell["verdict"] if cell["ours"] is None else f"{cell['ours']['value']:.2f} {cell['verdict']}"


def _blocker(title: str, told: Mapping[str, Any]) -> str:
    behind = f"; it cuts {told['cuts_off']} operators off" if told["cuts_off"] else ""
    what = (
        f"operator {told['index']}, {told['operator']} (layer {_short(told['layer'])}, tensor {_short(told['tensor'])})"
    )
    return f"{title}: {what}: {told['reason']}{behind}\n  {told['advice']}"


def _spans(rows: Iterable[Mapping[str, Any]]) -> Iterable[list[Any]]:
    """Put operators in a row with the same fate into one line, with their kinds counted."""
    for (device, why), group in groupby(rows, key=lambda row: (row["device"], row["reason"] or row["status"])):
        span = list(group)
        first, last = span[0]["index"], span[-1]["index"]
        kinds = Counter(row["operator"] for row in span).most_common()
        shown = span[0]["operator"] if len(span) == 1 else ", ".join(f"{kind} {count}" for kind, count in kinds)
        layers = _short(span[0]["layer"]) if len(span) == 1 else ""
        yield [first if first == last else f"{first}-{last}", device.upper(), shown, layers, why]


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 3] + "..."


def _mebibytes(size: int) -> str:
    return f"{size / MEBIBYTE:.2f} MiB"


def _bytes(size: int | None) -> str:
    return "not stated" if size is None else f"{size:,} B"


def show_parity(told: Mapping[str, Any]) -> None:
    """Print how far runtimes agree on the same file, where they part, and on which images they decide otherwise."""
    images = told["images"]
    print(f"{told['model']}/{told['recipe']}: {images['compared']} of {images['of']} test images\n")
    headers = ["runtime", "compared with", "images", "equal predictions", "equal output bytes", "largest difference"]
    show_table(headers, [_agreement(entry) for entry in told["pairs"]], disable_numparse=True)
    print()
    for entry in told["runtimes"]:
        if entry["delegated"]:
            left = ", ".join(f"{kind} {count}" for kind, count in entry["not_delegated"].items())
            own = f"{entry['runtime']} computes {entry['delegated']} of {entry['operators']} operators itself"
            print(own + (f"; the built-in kernels compute {left}" if left else ""))
    for entry in told["pairs"]:
        _show_differences(entry, told["classes"])
    for entry in told["absent"]:
        print(f"not compared: {entry['runtime']}: {entry['reason']}")


def _agreement(entry: Mapping[str, Any]) -> list[str | int]:
    steps = entry["largest_steps"]
    shares = [_share(entry[name], entry["n"]) for name in ("predictions", "outputs")]
    return [entry["runtime"], entry["reference"], entry["n"], *shares, _steps(steps)]


def _share(value: float | None, count: int) -> str:
    return "not known" if value is None else f"{value:.4f} ({round(value * count)})"


def _steps(count: int | None) -> str:
    return "not known" if count is None else f"{count} step" + ("" if count == 1 else "s")


def _show_differences(entry: Mapping[str, Any], classes: Sequence[str]) -> None:
    if entry.get("note"):
        print(f"{entry['runtime']}: {entry['note']}")
    if entry["first_divergence"]:
        print(_divergence(entry, entry["first_divergence"]))
    decided = [one for one in entry["disagreements"] if one["predictions"][0] != one["predictions"][1]]
    for one in decided[:MOST_IMAGES]:
        said, reference = (classes[prediction] for prediction in one["predictions"])
        truth = classes[one["label"]]
        print(f"  {one['image']} ({truth}): {entry['runtime']} says {said}, {entry['reference']} {reference}")
    if len(decided) > MOST_IMAGES:
        print(f"  and {len(decided) - MOST_IMAGES} more images, all in --json")


def _divergence(entry: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """Say in one sentence where two runtimes begin to differ."""
    who = f"{entry['runtime']} and {entry['reference']}"
    if found["index"] is None:
        return f"{who} differ on {found['image']}, but {found['reason']}"
    return (
        f"{who} part in operator {found['index']}, {found['operator']} (layer {_short(found['layer'])}): "
        f"of equal inputs it makes {found['different']} of {found['elements']} values different, by at most "
        f"{_steps(found['largest_steps'])}, on {found['image']}"
    )


def _proof(told: Mapping[str, Any]) -> str:
    """Say whether a changed file is known to compute what the original does."""
    if told["equal"] is None:
        return f"unproven: {told['reason']}"
    if not told["inputs"]:
        return str(told["reason"])
    return (
        f"{told['compared']} bit-equal on {told['inputs']} inputs "
        f"({told['kernels']} kernels of TensorFlow {told['tensorflow']})"
    )
