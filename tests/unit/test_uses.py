"""Claims live as long as their process, and locks that cannot be had are told."""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING

import pytest

from coralline.errors import ArtifactError
from coralline.store import Store, flock, uses

if TYPE_CHECKING:
    from pathlib import Path


def test_claims_end_with_their_block_and_are_of_all_users(tmp_path: Path) -> None:
    with uses.claims(tmp_path) as one, uses.claims(tmp_path) as other:
        one.add("a")
        other.add("b")
        other.add("b")
        assert uses.claimed(tmp_path) == {"a", "b"}
    assert uses.claimed(tmp_path) == set()
    assert uses.notes(tmp_path) == []


def test_claims_end_with_their_process_however_it_ends(tmp_path: Path) -> None:
    ready, done = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        with uses.claims(tmp_path) as claims:
            claims.add("a")
            os.write(ready[1], b"x")
            os.read(done[0], 1)
            os._exit(0)  # no clean-up
    os.read(ready[0], 1)
    assert uses.claimed(tmp_path) == {"a"}
    os.write(done[1], b"x")
    os.waitpid(child, 0)
    assert uses.claimed(tmp_path) == set()
    assert len(uses.left_behind(tmp_path)) == 1


def test_a_store_that_was_not_given_out_claims_nothing(tmp_path: Path) -> None:
    Store(tmp_path).find("a" * 64)
    assert not tmp_path.joinpath("uses").exists()


def test_a_key_is_claimed_whether_it_is_found_or_not(tmp_path: Path) -> None:
    with Store(tmp_path).used() as store:
        assert store.find("a" * 64) is None
        assert uses.claimed(tmp_path) == {"a" * 64}


def test_a_file_system_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int, _how: int) -> None:  # stands for a mount without locks
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(ArtifactError, match="has no locks"), uses.claims(tmp_path):
        pass


def test_whether_a_lock_is_held_is_told_without_taking_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not flock.is_held(path)
    with Store(tmp_path).held("key") as is_mine:
        assert is_mine
        assert flock.is_held(tmp_path / "locks" / "key")
        with Store(tmp_path).held("key") as again:
            assert not again
    assert not flock.is_held(tmp_path / "locks" / "key")
