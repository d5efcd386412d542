"""What `./run` starts: Invoke with this project's tasks, from whichever folder the user stands in.

The same tasks as `invoke`; only a wrong task or option is answered in our own words and with our own exit code.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from invoke.exceptions import ParseError
from invoke.program import Program

from coralline import __version__, console
from coralline.errors import ProfileError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator


class Front(Program):
    """Invoke's program with our answer to words that it does not know."""

    def parse_tasks(self) -> None:
        """Read the tasks and their options from the command line."""
        self.core.unparsed = list(self._named(self.core.unparsed))
        try:
            super().parse_tasks()
        except ParseError as error:
            console.show_error(self._in_our_words(error))
            raise SystemExit(ProfileError.code) from None

    def _named(self, words: list[str]) -> Iterator[str]:
        """Give the word after a task its option's name: Invoke has no positional arguments that may be left out.

        It is the task's own even where another task is called so: `test lint` means the suite.
        """
        before = ""
        for word in words:
            task = self.collection[before] if before in self.collection.task_names else None
            takes = task is not None and bool(task.positional)
            yield f"--{task.positional[0]}={word}" if task and takes and not word.startswith("-") else word
            before = word

    def _in_our_words(self, error: ParseError) -> ProfileError:
        unknown = re.search(r"No idea what '(.*)' is", str(error))
        if unknown is None:
            return ProfileError(str(error), hint="./run --help TASK explains the options of a task")
        word = unknown.group(1)
        if word == "--offline":  # `run` reads it, since it says where the host side itself comes from
            return ProfileError("--offline stands before the task", hint="./run --offline DIR TASK")
        if word.startswith("-"):
            flags = [flag for flag in error.context.flags if flag.startswith("--")] if error.context else []
            return ProfileError(f"no such option {word!r}", hint=nearest(word, flags, "options"))
        return ProfileError(f"no such task {word!r}", hint=nearest(word, self.collection.task_names, "tasks"))


def main() -> None:
    """Run the tasks named on the command line."""
    root, *words = sys.argv[1:]
    if {"--help", "-h"} & set(words[1:]):  # after a task that wants a file, Invoke would take it for the file
        words = ["--help", words[0]]
    program = Front(version=__version__, name="Coralline", binary="./run", binary_names=["run"])
    program.run(["./run", "--search-root", root, *(words or ["--list"])])


if __name__ == "__main__":
    main()
