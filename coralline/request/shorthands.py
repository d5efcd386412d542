"""The options that are parameters under a shorter name: --data, --gpus, --tdp, --meter-on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coralline import parameters
from coralline.errors import ProfileError
from coralline.request import data, names

if TYPE_CHECKING:
    from stages.spec import Value

TDP = "_tdp_w"  # how the parameters end that `--tdp` sets
TDP_FORM = "write --tdp cpu=65, or --tdp cpu=65,gpu=300; without it the table's TDP counts"
METER_ON = "meter_on"  # the parameters that `--meter-on` sets


def of_options(source: str | None, on_bad_image: str | None, *, gpus: bool) -> dict[str, Value]:
    """Read the options that are parameters under a shorter name."""
    values: dict[str, Value] = {}
    if source is not None:
        values[data.SOURCE] = source
    if on_bad_image is not None:
        values["dataset.on_bad_image"] = parameters.from_word(
            names.find_parameter("dataset.on_bad_image", ""), on_bad_image, "--on-bad-image"
        )
    if gpus:
        values |= {dotted: "gpu" for dotted, parameter in names.everywhere() if parameter.name == "device"}
    return values


def tdps(words: str | None) -> dict[str, Value]:
    """Read `DEVICE=WATTS`, several separated by commas, for every stage that wants to know."""
    found = [(dotted, one) for dotted, one in names.everywhere() if one.name.endswith(TDP)]
    wanted = [(dotted, one.name.removesuffix(TDP), one) for dotted, one in found]
    values: dict[str, Value] = {}
    for word in [] if words is None else words.split(","):
        device, equals, watts = (part.strip() for part in word.partition("="))
        if not equals:
            raise ProfileError(f"--tdp {word!r} is not DEVICE=WATTS", hint=TDP_FORM)
        names.one(device, dict.fromkeys(known for _, known, _ in wanted), "device")
        told = {
            dotted: parameters.from_word(parameter, watts, f"--tdp {device}")
            for dotted, known, parameter in wanted
            if known == device
        }
        if told.keys() & values or not all(told.values()):
            twice = "is given twice" if told.keys() & values else "= 0 is no TDP"
            raise ProfileError(f"--tdp {device} {twice}", hint=TDP_FORM)
        values |= told
    return values


def meter_on(word: str | None, meter: str | None) -> dict[str, Value]:
    """Read what the power meter feeds, for every stage that reads its file."""
    if word is None:
        return {}
    if meter is None:
        raise ProfileError("--meter-on means nothing without --meter", hint="name the meter's file with --meter FILE")
    return {
        dotted: parameters.from_word(parameter, word, "--meter-on")
        for dotted, parameter in names.everywhere()
        if parameter.name == METER_ON
    }
