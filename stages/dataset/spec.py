"""What the dataset stage needs and makes: data from one of the sources in `sources/`."""

from __future__ import annotations

from stages.dataset.sources import load_sources, parameters
from stages.spec import Output, Parameter, Spec, Variant

SOURCES = load_sources()

SPEC = Spec(
    name="dataset",
    summary="simulate neutrino events or other data, or index a folder of images",
    variants=tuple(
        Variant("dataset", when={"source": source.name}, inputs=source.inputs, outputs=source.outputs)
        for source in SOURCES.values()
    ),
    outputs=(Output("dataset.json", "json"),),
    parameters=(
        Parameter(
            "source",
            "choice",
            "simulate",
            "where data comes from (--data chooses folder, or a source by its name)",
            choices=tuple(SOURCES),
        ),
        *parameters(SOURCES.values()),
    ),
    code=("stages/dataset/sources/{source}.py",),
    cores="all",
)
