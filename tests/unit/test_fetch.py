from __future__ import annotations

import functools
import hashlib
import http.server
import json
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from coralline.catalogue import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FETCH = PROJECT / "docker" / "fetch.py"
CONTENT = b"what the vendor publishes"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "vendor"
    folder.mkdir()
    (folder / "file.deb").write_bytes(CONTENT)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(tmp_path: Path, line: str, *options: str) -> subprocess.CompletedProcess[str]:
    lock = tmp_path / "vendor.lock"
    lock.write_text(f"# a comment\n\n{line}\n")
    places = [] if options else [str(tmp_path / "files"), str(tmp_path / "record" / "vendor.json")]
    command = [sys.executable, str(FETCH), *options, str(lock), *places]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_a_file_with_the_pinned_digest_is_kept_and_recorded(tmp_path: Path, vendor: str, kind: str) -> None:
    pin = f"{kind}:{hashlib.new(kind, CONTENT).hexdigest()}"
    done = fetch(tmp_path, f"{pin} file.deb {vendor}/nothing.deb {vendor}/file.deb")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "files" / "file.deb").read_bytes() == CONTENT
    record = json.loads((tmp_path / "record" / "vendor.json").read_text())
    assert record == {"file.deb": {"pin": pin, "sha256": hashlib.sha256(CONTENT).hexdigest()}}


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_a_file_with_another_digest_is_refused(tmp_path: Path, vendor: str, kind: str) -> None:
    other = hashlib.new(kind, b"another").hexdigest()
    done = fetch(tmp_path, f"{kind}:{other} file.deb {vendor}/file.deb")
    assert done.returncode == 1
    assert f"coralline-blocked: file.deb is not the pinned file: {kind} " in done.stderr
    assert not (tmp_path / "files" / "file.deb").exists()


def test_a_host_out_of_reach_is_named_within_seconds(tmp_path: Path) -> None:
    started = time.monotonic()
    done = fetch(tmp_path, f"sha256:{'0' * 64} file.deb https://vendor.invalid/file.deb")
    assert done.returncode == 1
    assert done.stderr.startswith("coralline-blocked: file.deb cannot be fetched from vendor.invalid: ")
    assert "Traceback" not in done.stderr
    assert time.monotonic() - started < 15


def test_every_address_that_was_tried_is_named(tmp_path: Path, vendor: str) -> None:
    done = fetch(tmp_path, f"sha256:{'0' * 64} file.deb {vendor}/nothing.deb https://vendor.invalid/file.deb")
    assert "127.0.0.1: HTTP status 404" in done.stderr
    assert "vendor.invalid: " in done.stderr


def test_a_probe_fetches_nothing(tmp_path: Path, vendor: str) -> None:
    assert fetch(tmp_path, f"sha256:{'0' * 64} file.deb {vendor}/file.deb", "--probe").returncode == 0
    assert fetch(tmp_path, f"sha256:{'0' * 64} file.deb https://vendor.invalid/file.deb", "--probe").returncode == 1
    assert not (tmp_path / "files").exists()
