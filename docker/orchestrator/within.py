"""What runs in the orchestrator's image: the front door, on the leash of the Docker client that the user started.

`docker run` hands signals on, but a client that is killed leaves its container running. Container and client share one
namespace of processes, so this process sees the client end and ends itself, as a step does when its host side dies.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading

GRACE_S = 5.0  # a run stops in order within two seconds


def main() -> None:
    """Carry out the words after the client's process id and its umask, which a container does not take over."""
    client, umask = int(sys.argv.pop(1)), int(sys.argv.pop(1), 8)
    os.umask(umask)
    _end_with(client)
    from coralline import front

    front.main()


def _end_with(client: int) -> None:
    try:
        descriptor = os.pidfd_open(client)
    except ProcessLookupError:
        sys.exit("error: the Docker daemon does not share this machine's processes\n  use a daemon of this machine")
    threading.Thread(target=_watch, args=(descriptor,), daemon=True).start()


def _watch(descriptor: int) -> None:
    select.select([descriptor], [], [])
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(GRACE_S)
    os._exit(143)


if __name__ == "__main__":
    main()
