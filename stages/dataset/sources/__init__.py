"""Where data comes from: one file for each source, found by name; a new source is a new file here.

A source file holds `SOURCE`, pure data that both sides read, and `make(step)`, which imports what it needs and writes
the data set: always `dataset.json`, and the source's own outputs.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass, field, replace
from typing import Dict, Iterable, List, Mapping, Tuple

from stages.spec import Input, Output, Parameter

IMAGES = Output("images.csv", "csv")  # the index that every source of images writes
SEED = Parameter("seed", "int", 1, "seed of the generator", minimum=0, maximum=2**32 - 1)  # of every simulation


@dataclass(frozen=True)
class Source:
    """What the graph must know of a source: what networks can learn from it, what the user may set, what it makes.

    `tasks` are those of models that it has the truth for. A source with `inputs` looks at what is the user's own, one
    without makes its data itself and is chosen by name. Several sources may list the same parameter.
    """

    name: str
    summary: str
    tasks: Tuple[str, ...]
    parameters: Tuple[Parameter, ...] = ()
    outputs: Tuple[Output, ...] = (IMAGES,)
    inputs: Mapping[str, Input] = field(default_factory=dict)


def load_sources() -> Dict[str, Source]:
    """All sources by name, sorted; imports only the source files, which import nothing heavy."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    sources = (importlib.import_module("%s.%s" % (__name__, name)).SOURCE for name in names)
    return {source.name: source for source in sources}


def parameters(sources: Iterable[Source]) -> Tuple[Parameter, ...]:
    """Every parameter of the sources once, with the sources in which it means something.

    Raises:
        ValueError: two sources mean different things by one name.
    """
    declared: Dict[str, Parameter] = {}
    wanted: Dict[str, List[str]] = {}
    for source in sources:
        for parameter in source.parameters:
            if declared.setdefault(parameter.name, parameter) != parameter:
                raise ValueError("%s of source %s is declared otherwise elsewhere" % (parameter.name, source.name))
            wanted.setdefault(parameter.name, []).append(source.name)
    return tuple(replace(one, when={"source": tuple(wanted[name])}) for name, one in declared.items())
