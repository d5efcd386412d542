"""The embed stage: every full-integer file of a tiny network as C source, and the memory that each of its files takes.

A container, which no runtime executes, is no file for a microcontroller.
Files with floats are measured beside them, so that what quantisation saves is seen in each kind of memory by itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List

from stages.contract import InputError, Step, number, run, write_json
from stages.embed import arena, source
from stages.section import Section, SectionTable
from stages.tflite.flat import MalformedFile
from stages.tflite.model import Model, float_tensors, read_model
from stages.tflite.sizes import sizes

if TYPE_CHECKING:
    from pathlib import Path

VERSION = 1
REFERENCE = "float32"
CONTAINER = "model.packed"
COLUMNS = (
    "file",
    "weights, B",
    "scales and biases, B",
    "file, B",
    "activations, B",
    "least activations, B",
    "C source",
)
NOTE = (
    "Weights, scales and biases lie in the file, and the file in flash; activations lie in RAM, placed by a greedy "
    "plan of tensor lives as TensorFlow Lite for Microcontrollers makes it, and no plan needs fewer than the least. "
    "What the interpreter keeps besides is not counted."
)


@dataclass(frozen=True)
class File:
    """One file of the network and what it takes."""

    recipe: str
    content: bytes
    model: Model
    parts: Dict[str, Any]
    arena: arena.Arena

    @property
    def name(self) -> str:
        """Name it as its C source does."""
        return "model_%s" % self.recipe.replace("-", "_")

    @property
    def is_whole(self) -> bool:
        """Whether it computes with integers alone."""
        return not float_tensors(self.model)

    def document(self) -> Dict[str, Any]:
        """Describe for `memory.json`."""
        return {
            "recipe": self.recipe,
            "payload_bytes": self.parts["payload_bytes"],
            "overhead_bytes": self.parts["overhead_bytes"],
            "file_bytes": len(self.content),
            "activation_bytes": self.arena.size,
            "least_activation_bytes": self.arena.least,
            "source": "%s.c" % self.name if self.is_whole else None,
        }


def main(step: Step) -> None:
    """Measure all files and write those of integers as source."""
    executed = [folder for folder in step.inputs.values() if not (folder / CONTAINER).exists()]
    files = sorted(map(_read, executed), key=lambda one: (one.recipe != REFERENCE, one.recipe))
    for file in (one for one in files if one.is_whole):
        (step.out / ("%s.c" % file.name)).write_text(source.source(file.name, file.content), encoding="ascii")
        (step.out / ("%s.h" % file.name)).write_text(
            source.header(file.name, len(file.content), file.arena.size), encoding="ascii"
        )
    told = [file.document() for file in files]
    write_json(step.out / "memory.json", {"schema": "coralline.memory", "version": VERSION, "files": told})
    _section(told).write(step.out)
    step.record([number("activation_bytes", one["activation_bytes"], "B", recipe=one["recipe"]) for one in told])


def _read(folder: Path) -> File:
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    content = (folder / "model.tflite").read_bytes()
    try:
        model = read_model(content)
        return File(record["axes"]["recipe"], content, model, sizes(model), arena.plan(model))
    except MalformedFile as error:
        raise InputError("%s: the file cannot be read: %s" % (record["label"], error), "convert it again") from error


def _section(told: List[Dict[str, Any]]) -> Section:
    names = (
        "recipe",
        "payload_bytes",
        "overhead_bytes",
        "file_bytes",
        "activation_bytes",
        "least_activation_bytes",
        "source",
    )
    table = SectionTable("Memory of each file", COLUMNS, [[one[name] for name in names] for one in told], NOTE)
    return Section("On a microcontroller", _sentences(told), [table])


def _sentences(told: List[Dict[str, Any]]) -> List[str]:
    """Say how many times smaller each kind of memory is than float32's: there is no one factor."""
    by_recipe = {one["recipe"]: one for one in told}
    large = by_recipe.get(REFERENCE)
    return [
        "%s against float32: weights %s times smaller, weights with scales and biases %s, the file %s, activations %s."
        % (
            one["recipe"],
            _ratio(large["payload_bytes"], one["payload_bytes"]),
            _ratio(large["payload_bytes"] + large["overhead_bytes"], one["payload_bytes"] + one["overhead_bytes"]),
            _ratio(large["file_bytes"], one["file_bytes"]),
            _ratio(large["activation_bytes"], one["activation_bytes"]),
        )
        for one in told
        if large is not None and one["source"] is not None
    ]


def _ratio(large: int, small: int) -> str:
    return "%.2f" % (large / small)


if __name__ == "__main__":
    run(main)
