"""The task that fills a folder for sites without network."""

from __future__ import annotations

from pathlib import Path

from coralline import catalogue, console, offline, session
from coralline.console.ending import guarded, print_json


def pack(to: str, *, images: bool, gpus: bool, as_json: bool, debug: bool) -> None:
    """Fill the folder and print what is in it and how it is used."""
    from coralline import pack as packing

    with guarded(debug=debug), session.interruptible():
        watcher = console.watcher()
        try:
            made = packing.make(
                catalogue.PROJECT, Path(to).expanduser().absolute(), watcher.notify, images=images, gpus=gpus
            )
        finally:
            watcher.close()
        if as_json:
            print_json(
                {
                    "schema": "coralline.pack",
                    "version": 1,
                    "folder": str(made.folder),
                    "files": made.files,
                    "size_bytes": made.size_bytes,
                    "sha256": made.sha256,
                }
            )
            return
        print(f"packed  {made.folder}: {made.files} files, {made.size_bytes / 1e6:.0f} MB")
        print(f"sha256  {made.sha256}  of {offline.SUMS}, the list of all digests")
        print(f"there   tar -xf {packing.PROJECT_FILE} && cd {packing.own.NAME} && ./run --offline DIR all --model ...")
