"""Bundles of real runs: read by others' tools, signed with real keys, imported elsewhere and gone on with."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from bundles import RUN, Sample, forge, members_of
from conftest import can
from lab import Lab

from coralline.bundle import layout, signatures
from coralline.bundle.reader import Bundle
from coralline.catalogue import PROJECT
from coralline.engines import HOME
from coralline.environments import Environment
from coralline.errors import ArtifactError, ProfileError

# What the profile recommends and Coralline cannot know, or lacks: people, a page about the crate, and addresses of its
# programs on the web.
UNKNOWN = ("author", "publisher", "agent", "README.md", "Application url", "SoftwareApplication id")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def whole_bundle(local: Lab, folder: Path) -> Path:
    place = folder / "whole.zip"
    local.run("bundle", first_run(local), "--artifacts", "--to", str(place))
    return place


def first_run(lab: Lab) -> str:
    """The run that made everything: a later one, of another test, has reused it and says less of times."""
    return min(path.name for path in (lab.artifacts / "runs").iterdir())


def test_others_tools_read_a_bundle_of_a_real_run(local: Lab, whole_bundle: Path, tmp_path: Path) -> None:
    readers = Environment("bundle-tests", PROJECT / "requirements" / "bundle-tests.lock", HOME / "environments")
    readers.ensure(print)
    command = [readers.python, PROJECT / "tests" / "bundlereaders.py", whole_bundle, tmp_path]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["crate"]["checks"] > 50
    required = [issue for issue in told["crate"]["issues"] if issue[0] == "REQUIRED"]
    assert required == []
    assert [issue for issue in told["crate"]["issues"] if not any(word in " ".join(issue) for word in UNKNOWN)] == []
    used = local.records()
    assert sorted(told["statements"]) == sorted(used)
    assert told["entities"]["workflow"] == layout.RUN
    keys = {label: record["key"] for label, record in used.items()}
    trained = told["entities"]["steps"][f"Run of {next(label for label in used if label.startswith('train/'))}"]
    assert trained == [f"#artifact/{keys['dataset']}"]


def test_a_bundle_is_the_same_bytes_for_another_user_from_another_place(
    local: Lab, whole_bundle: Path, folder: Path
) -> None:
    nobody = pwd.getpwnam("nobody")
    run_as = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    packages = HOME / "host" / "lib" / "python3.11" / "site-packages"
    environment = ["env", "-i", "HOME=/", "PATH=/usr/bin:/bin", "TZ=Asia/Kathmandu", f"PYTHONPATH={PROJECT}:{packages}"]
    python = [*run_as, *environment, f"CORALLINE_ARTIFACTS={folder}/moved", "/usr/bin/python3", "-P", "-m"]
    if os.getuid() != 0 or not can(*python, "coralline.front", str(PROJECT), "models"):
        pytest.skip("another user: needs root and a project that others may read")
    shutil.copytree(local.artifacts, folder / "moved")
    subprocess.run(["chmod", "--recursive", "a+rX", folder / "moved"], check=True)
    (folder / "theirs").mkdir()
    shutil.chown(folder / "theirs", "nobody")
    words = ["coralline.front", str(PROJECT), "bundle", first_run(local), "--artifacts", "--to", "it.zip"]
    done = subprocess.run([*python, *words], cwd=folder / "theirs", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert digest(folder / "theirs" / "it.zip") == digest(whole_bundle)


def test_an_imported_run_is_gone_on_with_and_nothing_is_made_again(
    local: Lab, whole_bundle: Path, tmp_path: Path
) -> None:
    other = Lab(tmp_path / "store", "local")
    told = json.loads(other.run("import", str(whole_bundle), "--json").stdout)
    assert sorted(told["new"]) == sorted(local.records())
    assert other.damaged() == []
    assert other.run("results").stdout == local.run("results", first_run(local)).stdout
    other.all()
    assert {step["state"] for step in other.steps().values()} <= {"reused", "blocked"}
    spoiled = bytearray(whole_bundle.read_bytes())
    spoiled[len(spoiled) // 2] ^= 1
    (tmp_path / "spoiled.zip").write_bytes(spoiled)
    fresh = Lab(tmp_path / "fresh", "local")
    assert "error: objects/" in fresh.run("import", str(tmp_path / "spoiled.zip"), code=7).stderr
    assert not fresh.artifacts.exists()


@pytest.fixture(scope="module")
def keys(folder: Path) -> dict[str, Path]:
    """Keys as the how-to says to make them."""
    made = {}
    for name, words in {
        "ed25519": ["ed25519"],
        "other": ["ed25519"],
        "ec": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    }.items():
        private, public = folder / f"{name}.key", folder / f"{name}.pub"
        subprocess.run(["openssl", "genpkey", "-algorithm", *words, "-out", private], check=True, capture_output=True)
        subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
        made[name] = private
    return made


def signed(folder: Path, key: Path, name: str) -> Path:
    sample = Sample(folder / f"{name}.store").make()
    return sample.bundle(folder / name, sign=lambda told: signatures.sign(told, key, print))


def complaint(bundle: Path, key: Path) -> str:
    with Bundle(bundle) as opened, pytest.raises(ArtifactError) as told:
        signatures.check(opened, key.with_suffix(".pub"))
    return str(told.value)


@pytest.mark.parametrize("kind", ["ed25519", "ec"])
def test_a_signature_is_good_for_its_key_and_for_no_other(keys: dict[str, Path], tmp_path: Path, kind: str) -> None:
    bundle = signed(tmp_path, keys[kind], "it.zip")
    with Bundle(bundle) as opened:
        signatures.check(opened, keys[kind].with_suffix(".pub"))
    assert "was not signed with the key other.pub" in complaint(bundle, keys["other"])


def test_an_ed25519_signature_is_the_same_bytes_each_time(keys: dict[str, Path], tmp_path: Path) -> None:
    first, second = (signed(tmp_path, keys["ed25519"], name) for name in ("first.zip", "second.zip"))
    assert first.read_bytes() == second.read_bytes()


def test_who_forges_a_signed_bundle_is_found_out(keys: dict[str, Path], tmp_path: Path) -> None:
    made = signed(tmp_path, keys["ed25519"], "it.zip")
    first = min(name for name in members_of(made) if name.endswith("/provenance.dsse.json"))

    def copy() -> Path:
        return Path(shutil.copy(made, tmp_path / "forged.zip"))

    unsigned = forge(copy(), lambda members: members.pop("manifest.dsse.json"))
    assert complaint(unsigned, keys["ed25519"]).startswith("manifest.dsse.json is missing")
    envelopes = {name: content for name, content in members_of(made).items() if name.endswith(".dsse.json")}
    other = Sample(tmp_path / "other").make()
    (other.root / "runs" / RUN / "logs" / "one.log").write_bytes(b"nothing went wrong")
    log = forge(other.bundle(tmp_path / "log.zip"), lambda members: members.update(envelopes))
    assert complaint(log, keys["ed25519"]) == "manifest.dsse.json does not hold manifest.json"
    manifest = members_of(forge(copy(), lambda members: members.pop(first)))["manifest.json"]

    def leave_one_out(members: dict[str, bytes]) -> None:
        """Leave one statement unsigned under a manifest that the right key signed."""
        members.pop(first)
        members["manifest.dsse.json"] = signatures.sign({"manifest.json": manifest}, keys["ed25519"], print)[
            "manifest.json"
        ]

    assert complaint(forge(copy(), leave_one_out), keys["ed25519"]).startswith(f"{first} is missing")


def test_a_bundle_that_is_swapped_for_the_signed_one_after_it_was_read_is_found_out(
    keys: dict[str, Path], tmp_path: Path
) -> None:
    made = signed(tmp_path, keys["ed25519"], "it.zip")
    good, members = made.read_bytes(), members_of(made)
    envelopes = {name: content for name, content in members.items() if name.endswith(".dsse.json")}
    other = Sample(tmp_path / "other").make()
    (other.root / "runs" / RUN / "logs" / "one.log").write_bytes(members["logs/one.log"].swapcase())
    forged = forge(other.bundle(tmp_path / "forged.zip"), lambda members: members.update(envelopes))
    assert forged.stat().st_size == len(good)
    with Bundle(forged) as opened:
        forged.write_bytes(good)
        with pytest.raises(ArtifactError, match=r"^manifest\.dsse\.json does not hold manifest\.json"):
            signatures.check(opened, keys["ed25519"].with_suffix(".pub"))


def test_a_damaged_signature_of_the_manifest_is_named(keys: dict[str, Path], tmp_path: Path) -> None:
    made = signed(tmp_path, keys["ed25519"], "it.zip")
    content = made.read_bytes()
    place = content.index(b'"sig": "') + 12
    made.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    with pytest.raises(ArtifactError, match=r"^manifest\.dsse\.json is damaged"):
        Bundle(made)


def test_an_unsigned_bundle_and_a_useless_key_are_told_apart(keys: dict[str, Path], tmp_path: Path) -> None:
    plain = Sample(tmp_path / "store").make().bundle(tmp_path / "plain.zip")
    assert "the bundle is not signed" in complaint(plain, keys["ed25519"])
    made = signed(tmp_path, keys["ed25519"], "it.zip")
    with Bundle(made) as opened, pytest.raises(ProfileError, match="cannot be used as a public key"):
        signatures.check(opened, keys["ed25519"])
    with pytest.raises(ProfileError, match="cannot be used as a private key"):
        signatures.sign({"x": b""}, keys["ed25519"].with_suffix(".pub"), print)
    locked = tmp_path / "locked.key"
    command = ["openssl", "pkey", "-in", keys["ed25519"], "-aes256", "-passout", "pass:x", "-out", locked]
    subprocess.run(command, check=True)
    with pytest.raises(ProfileError, match="cannot be used as a private key"):
        signatures.sign({"x": b""}, locked, print)


def test_import_with_a_key_takes_nothing_that_it_did_not_sign(keys: dict[str, Path], tmp_path: Path) -> None:
    store, bundle = Lab(tmp_path / "other", "local"), signed(tmp_path, keys["ed25519"], "it.zip")
    refused = store.run("import", str(bundle), "--key", str(keys["other"].with_suffix(".pub")), code=7)
    assert "was not signed with the key other.pub" in refused.stderr
    assert not store.artifacts.exists()
    told: dict[str, Any] = json.loads(
        store.run("import", str(bundle), "--key", str(keys["ed25519"].with_suffix(".pub")), "--json").stdout
    )
    assert (told["signed"], told["new"]) == (True, ["one", "two"])
