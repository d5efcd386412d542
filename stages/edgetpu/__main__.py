"""Answer a question about one file as one JSON document: `python -m stages.edgetpu QUESTION FILE`.

Exit code 2 and `{"message", "remedy"}` when the file or the question is wrong. The files are foreign: whoever starts
this bounds its time and memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Dict, Iterator, Sequence

from stages.contract import InputError
from stages.edgetpu import estimate, gate
from stages.edgetpu.compiled import inspection
from stages.edgetpu.compiled.digest import masked_digest
from stages.edgetpu.fix import fix
from stages.edgetpu.log import document as log
from stages.tflite.flat import MalformedFile

MOST_BYTES = 1 << 28  # thirty times what fits on the chip
MEMORY_BYTES = 256 << 20  # beside the file's own bytes, which are held once


def main(words: Sequence[str]) -> int:
    """Answer, and return the exit code."""
    told = _parser().parse_args(words)
    try:
        _limit_memory([told.file, *([told.compiled] if told.compiled else [])])
        answer = _answer(told)
    except InputError as error:
        return _refused(told.file, error)
    with suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(answer, sort_keys=True) + "\n")
    return 0


def _refused(file: Path, error: InputError) -> int:
    print(json.dumps({"message": "%s: %s" % (file.name, error.message), "remedy": error.remedy}))
    return 2


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Turn all that a foreign file can do to a reader into one kind of error."""
    try:
        yield
    except MalformedFile as error:
        raise InputError(
            "%s is damaged, or no TFLite file: %s" % (what, error), "convert or compile it again"
        ) from error
    except MemoryError as error:
        text = "reading %s takes more memory than any real model" % what
        raise InputError(text, "convert or compile it again") from error
    except OSError as error:
        raise InputError("%s cannot be read: %s" % (what, error.strerror), "see that you may read it") from error


def _limit_memory(files: Sequence[Path]) -> None:
    """Bound this process, whatever the files claim.

    Raises:
        InputError: a file is larger than any that could run on the chip.
    """
    with _reading("the file"):
        size = sum(file.stat().st_size for file in files)
    if size > MOST_BYTES:
        raise InputError("it has %d bytes, at most %d are read" % (size, MOST_BYTES), "give a smaller file")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES + 2 * size, resource.RLIM_INFINITY))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stages.edgetpu", description=__doc__)
    parser.add_argument("question", choices=("check", "inspect", "estimate", "parse-log", "digest"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--fixed", type=Path, help="check: write the changed file here")
    parser.add_argument("--softmax-on-host", action="store_true", help="check --fixed: leave SOFTMAX out")
    parser.add_argument("--usb", type=int, choices=(2, 3), default=3)
    parser.add_argument("--clock", choices=("std", "max"), default="std")
    parser.add_argument("--compiled", type=Path, help="estimate: the compiled file, whose exact bytes are used")
    return parser


def _answer(told: argparse.Namespace) -> Dict[str, Any]:
    if told.compiled is not None:
        with _reading("the compiled file %s" % told.compiled.name):
            inspection.inspect(told.compiled.read_bytes())
    with _reading("it"):
        return _of_file(told, told.file.read_bytes())


def _of_file(told: argparse.Namespace, content: bytes) -> Dict[str, Any]:
    if told.question == "parse-log":
        return log.document(content)
    if told.question == "inspect":
        return inspection.inspect(content)
    if told.question == "digest":
        return {"schema": "coralline.compiled-digest", "version": 1, "sha256_masked": masked_digest(content)}
    if told.question == "estimate":
        compiled = told.compiled.read_bytes() if told.compiled else None
        return estimate.estimate(content, usb=told.usb, clock=told.clock, compiled=compiled)
    if told.fixed is None:
        return gate.check(content)
    fixed, changes = fix(content, softmax_on_host=told.softmax_on_host)
    told.fixed.write_bytes(fixed)
    return {**gate.check(fixed), "changes": changes}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
