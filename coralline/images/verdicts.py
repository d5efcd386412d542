"""What verification found of images, for people and for another site."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coralline.errors import ImageError
from coralline.images import digests
from coralline.images.digests import SCHEMA
from coralline.images.verify import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from coralline.images.comparison import Compared, Differing

SHOWN = 19  # characters of a digest in a table: sha256: and twelve
NAMED = 4  # packages that a line names
WORDS = {True: "equal", False: "different"}


def document(found: Mapping[str, Verdict | str]) -> dict[str, Any]:
    """Return everything that was found, with all that another site needs to compare its own builds."""
    verdicts = [told for told in found.values() if isinstance(told, Verdict)]
    described = digests.document(told.image for told in verdicts)
    return {
        "schema": SCHEMA,
        "version": 1,
        "images": [
            {**image, "compared": [_compared(one) for one in told.compared]}
            for image, told in zip(described, verdicts, strict=True)
        ],
        "not_built": {name: told for name, told in found.items() if isinstance(told, str)},
    }


def table(found: Mapping[str, Verdict | str]) -> tuple[list[str], list[list[str]]]:
    """Return headers and a row for each layer and configuration."""
    verdicts = [told for told in found.values() if isinstance(told, Verdict)]
    others = list(dict.fromkeys(one.other for told in verdicts for one in told.compared))
    return ["image", "part", "sha256", *others], [row for told in verdicts for row in _rows(told, others)]


def remarks(found: Mapping[str, Verdict | str]) -> Iterator[str]:
    """Say what differs, and what could not be built."""
    for name, told in found.items():
        if isinstance(told, str):
            yield f"{name}: not built: {told}"
            continue
        for one in told.compared:
            yield from (f"{name}, {one.other}: {line}" for line in _differences(one))


def end(found: Mapping[str, Verdict | str], there: Mapping[str, object] | None) -> None:
    """Raise ImageError when an image is not what another build of it is, or the other site tells of none."""
    verdicts = [told for told in found.values() if isinstance(told, Verdict)]
    unlike = [told.image.name for told in verdicts if not all(one.holds for one in told.compared)]
    if unlike:
        raise ImageError(
            f"not the same bytes: {', '.join(unlike)}", hint="the lines above name the first file that differs"
        )
    alone = [told.image.name for told in verdicts if there is not None and told.image.name not in there]
    if alone:
        raise ImageError(f"the other site tells nothing of {', '.join(alone)}", hint="verify them there as well")


def _rows(told: Verdict, others: Iterable[str]) -> Iterator[list[str]]:
    by_name = {one.other: one for one in told.compared}
    parts = [("base" if number == 1 else "packages", layer) for number, layer in enumerate(told.image.layers, start=1)]
    for number, (part, digest) in enumerate([*parts, ("configuration", told.image.id)], start=1):
        words = [_word(by_name.get(other), None if part == "configuration" else number) for other in others]
        yield [told.image.name, part, digest[:SHOWN].removeprefix("sha256:"), *words]


def _word(one: Compared | None, layer: int | None) -> str:
    if one is None:
        return "-"
    return WORDS[one.same_id if layer is None else layer not in {differing.layer for differing in one.differing}]


def _differences(one: Compared) -> Iterator[str]:
    for differing in one.differing:
        yield f"layer {differing.layer}: {_difference(differing)}"
    if not one.same_id and not one.differing:
        yield "same layers, another configuration"


def _difference(differing: Differing) -> str:
    if differing.packages:
        shown = ", ".join(differing.packages[:NAMED]) + (", ..." if differing.packages[NAMED:] else "")
        return f"{len(differing.packages)} packages of the base are not in both: {shown}"
    if differing.file is None:
        return "the other layer is not at hand: have it saved there, and give the file to --against"
    return str(differing.file)


def _compared(one: Compared) -> dict[str, Any]:
    return {
        "with": one.other,
        "equal": one.equal,
        "same_id": one.same_id,
        "differing": [
            {
                "layer": differing.layer,
                "packages": list(differing.packages),
                "path": differing.file.path if differing.file else None,
                "what": differing.file.what if differing.file else None,
                "files": differing.file.files if differing.file else None,
            }
            for differing in one.differing
        ],
    }
