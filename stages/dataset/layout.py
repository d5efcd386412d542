"""Finds the images of a folder `<split>/<class>/*.png` and says what is wrong with its layout; opens no image.

Photographs (`.jpg`, `.jpeg`) count as well. Where no class is in `test`, `val` is the test split, as ImageNet has it.
Hidden files are not looked at. Whatever else is not an image is named in `ignored`, so that nothing is lost silently.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Sequence, Set, Tuple

from stages import photographs
from stages.contract import InputError
from stages.dataset.index import Place
from stages.images import quoted

TRAIN, TEST, VALIDATION = "train", "test", "val"
NEEDED = (TRAIN, TEST)
SPLITS = (*NEEDED, VALIDATION, "calib")
ENDINGS = (".png", *photographs.ENDINGS)
IMAGES, MASKS = "images", "masks"  # folders of data whose truth is in masks
MASKED = (".png",)  # of such data: a mask belongs to every pixel of its image
GROUP = "image"  # the one class of such data
WANTED_MASKED = "expected images/<split>/*.png and masks/<split>/*.png of the same names, splits 'train' and 'test'"
WANTED = "expected <split>/<class>/*.png (or .jpg, .jpeg) with the splits 'train' and 'test' or 'val' (and 'calib')"


@dataclass
class Layout:
    """What lies where: `classes` are sorted, `bad` holds path and reason of images that cannot be read as files.

    `tested` is the folder of the test split.
    """

    classes: Tuple[str, ...] = ()
    places: List[Place] = field(default_factory=list)
    bad: List[Dict[str, str]] = field(default_factory=list)
    ignored: List[str] = field(default_factory=list)
    tested: str = TEST

    def split_of(self, folder: str) -> str:
        """Name the split that a folder is."""
        return TEST if folder == self.tested else folder

    def folder_of(self, split: str) -> str:
        """Name the folder of a split."""
        return self.tested if split == TEST else split


def scan(root: Path) -> Layout:
    """Look at every file below the splits of `root`.

    Raises:
        InputError: a split is missing, classes differ between splits, fewer than two of them, a link leads outside,
            or a folder cannot be read.
    """
    layout = Layout()
    folders = _folders(root, root, layout)
    layout.ignored += sorted(set(folders) - set(SPLITS))
    splits = {split: _folders(root, root / split, layout) for split in SPLITS if split in folders}
    if not splits.get(TEST) and VALIDATION in splits:  # ImageNet comes with a flat `test`, whose files have no class
        splits.pop(TEST, None)
        layout.tested = VALIDATION
    _check_splits(root, splits, folders, (TRAIN, layout.tested))
    layout.classes = _check_classes(splits, (TRAIN, layout.tested))
    for split, classes in splits.items():
        for name in classes:
            _files(root, split, name, layout)
    layout.places = [place._replace(split=layout.split_of(place.split)) for place in layout.places]
    return layout


def scan_masked(root: Path) -> Layout:
    """Look at every file `images/<split>/*.png`, whose truth is a mask of the same name in `masks/<split>`.

    All images are of one class, `GROUP`. An image without a mask is bad; a mask without an image is ignored.

    Raises:
        InputError: a split is missing, a link leads outside, or a folder cannot be read.
    """
    layout = Layout(classes=(GROUP,))
    splits = {kind: _folders(root, root / kind, layout) for kind in (IMAGES, MASKS)}
    missing = ["%s/%s" % (kind, split) for kind in splits for split in NEEDED if split not in splits[kind]]
    if missing:
        raise InputError("the data has no folder %s" % quoted(missing), WANTED_MASKED)
    for split in splits[IMAGES]:
        if split not in SPLITS:
            layout.ignored.append("%s/%s" % (IMAGES, split))
            continue
        images, masks = Layout(), Layout()
        _files(root, IMAGES, split, images, MASKED)
        if split in splits[MASKS]:
            _files(root, MASKS, split, masks, MASKED)
        _match(split, images, masks, layout)
    return layout


def mask_of(image: str) -> str:
    """Return the path of an image's mask."""
    return MASKS + image[len(IMAGES) :]


def _match(split: str, images: Layout, masks: Layout, layout: Layout) -> None:
    """Take over the images that have a mask, and name everything else."""
    there = {place.path for place in masks.places}
    wanted = {mask_of(place.path): place.path for place in images.places}
    layout.places += [Place(split, GROUP, image) for mask, image in wanted.items() if mask in there]
    layout.bad += images.bad + masks.bad
    layout.bad += [{"path": image, "reason": "it has no mask"} for mask, image in wanted.items() if mask not in there]
    layout.ignored += [*images.ignored, *masks.ignored, *sorted(there - set(wanted))]


def check_filled(layout: Layout, filled: Set[Tuple[str, str]], ignored: Sequence[str] = ()) -> None:
    """Demand an image of every class in the training and in the test split."""
    for split, name in itertools.product(NEEDED, layout.classes):
        if (split, name) not in filled:
            folder = layout.folder_of(split)
            others = [path for path in ignored if path.startswith("%s/%s/" % (folder, name))]
            found = " (found %s)" % quoted(others) if others else ""
            raise InputError(
                "class '%s' has no usable image in '%s'%s" % (name, folder, found),
                "add images to %s/%s, or remove the class from every split" % (folder, name),
            )


def _entries(root: Path, folder: Path) -> List[os.DirEntry[str]]:
    """Everything in a folder that is not hidden, by name; a link may not lead out of `root`."""
    try:
        with os.scandir(folder) as found:
            entries = sorted((entry for entry in found if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        where = "." if folder == root else folder.relative_to(root).as_posix()
        raise InputError(
            "the folder '%s' of the data cannot be read: %s" % (where, error.strerror),
            "make it readable for this user, for instance with `chmod -R u+rX`",
        ) from error
    for entry in entries:
        if entry.is_symlink():
            _check_link(root, Path(entry.path))
    return entries


def _check_link(root: Path, link: Path) -> None:
    """Refuse a link that leaves the folder: the data would not be what its digest says."""
    home, target = root.resolve(), Path(os.path.realpath(link))
    if home not in target.parents:
        raise InputError(
            "'%s' is a link that leads out of the data folder" % link.relative_to(root).as_posix(),
            "put the file itself there instead of the link",
        )


def _folders(root: Path, folder: Path, layout: Layout) -> List[str]:
    """Names of the folders in a folder; files between the splits and classes are ignored, and said to be."""
    entries = _entries(root, folder)
    if folder != root:  # files beside the splits, such as a table of truth, are usual
        layout.ignored += [_relative(root, entry) for entry in entries if not entry.is_dir()]
    return [entry.name for entry in entries if entry.is_dir()]


def _files(root: Path, split: str, name: str, layout: Layout, endings: Tuple[str, ...] = ENDINGS) -> None:
    """Sort the files of one class into images, bad images and others."""
    for entry in _entries(root, root / split / name):
        path = _relative(root, entry)
        if not entry.name.lower().endswith(endings) or entry.is_dir():
            layout.ignored.append(path)
        elif not entry.is_file():
            layout.bad.append({"path": printable(path), "reason": "not a regular file"})
        elif path != printable(path) or "\\" in path:
            layout.bad.append({"path": printable(path), "reason": "the name has characters that are not portable"})
        else:
            layout.places.append(Place(split, name, path))


def printable(path: str) -> str:
    """Write a path so that it fits a line of UTF-8 text: other bytes and control codes are escaped."""
    known = path.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in known)


def _relative(root: Path, entry: os.DirEntry[str]) -> str:
    return Path(entry.path).relative_to(root).as_posix()


def _check_splits(root: Path, splits: Dict[str, List[str]], folders: Sequence[str], needed: Tuple[str, ...]) -> None:
    """Demand the splits; a folder around the data is a usual slip, so it is looked for."""
    missing = [split for split in needed if split not in splits]
    if not missing:
        return
    inside = [name for name in folders if all((root / name / split).is_dir() for split in needed)]
    remedy = "give its folder '%s' as the data" % inside[0] if inside else WANTED
    found = "found %s" % quoted(folders) if folders else "it has no folders"
    raise InputError("the data has no folder %s: %s" % (quoted(missing), found), remedy)


def _check_classes(splits: Dict[str, List[str]], needed: Tuple[str, ...]) -> Tuple[str, ...]:
    """Demand at least two classes, the same in training and test, and none in other splits that training lacks."""
    classes = splits["train"]
    for split, found in splits.items():
        extra, lacking = sorted(set(found) - set(classes)), sorted(set(classes) - set(found))
        if extra or (lacking and split in needed):
            odd, where = (extra, split) if extra else (lacking, "train")
            raise InputError(
                "class %s is in '%s' but not in '%s'" % (quoted(odd), where, "train" if extra else split),
                "give every split the same class folders",
            )
    if len(classes) < 2:
        found_names = quoted(classes) if classes else "none"
        raise InputError("the data has fewer than two classes: found %s in 'train'" % found_names, WANTED)
    for name in classes:
        if printable(name) != name or "\\" in name:
            raise InputError("the name of class '%s' is not portable" % printable(name), "rename its folder")
    return tuple(classes)
