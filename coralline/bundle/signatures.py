"""Signs the documents of a bundle with a local key, and says whether a bundle was signed with the key of its maker.

An envelope (DSSE) holds the very bytes that were signed: each artifact's provenance, and the manifest, which binds
every byte of the bundle. The signing is done by securesystemslib in an environment of its own: envelope.py.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from typing import TYPE_CHECKING, Any

from coralline.bundle.layout import ENVELOPE, MANIFEST, SEALED_MANIFEST, STATEMENT, broken, member_of
from coralline.catalogue import PROJECT
from coralline.engines import HOME
from coralline.environments import Environment
from coralline.errors import ArtifactError, ProfileError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from coralline.bundle.reader import Bundle

STATEMENT_TYPE, MANIFEST_TYPE = "application/vnd.in-toto+json", "application/vnd.coralline.manifest+json"
LIMIT_S = 300.0
MOST_SIGNATURES = 16  # of one document; each costs time to check


def sign(documents: Mapping[str, bytes], key: Path, say: Callable[[str], None]) -> dict[str, bytes]:
    """Return the envelope of each document, signed with a private key in PEM; `say` is told what takes time.

    Raises:
        ProfileError: the key cannot be read, or is of no kind that signs (Ed25519, ECDSA, RSA).
    """
    wanted = [{"type": _type(name), "payload": base64.b64encode(text).decode()} for name, text in documents.items()]
    told = _ask("sign", key, wanted, say)
    texts = ((json.dumps(envelope, indent=1, sort_keys=True) + "\n").encode() for envelope in told["envelopes"])
    return dict(zip(documents, texts, strict=True))


def check(bundle: Bundle, public_key: Path, say: Callable[[str], None] = lambda _text: None) -> None:
    """Demand that every artifact's provenance and the manifest were signed with this key, a public one in PEM.

    Raises:
        ArtifactError: something is not signed, or by another key, or is not what was signed; with its name.
        ProfileError: the key is no public key.
    """
    statements = {member_of(key, ENVELOPE): member_of(key, STATEMENT) for key in bundle.keys}
    pairs = {SEALED_MANIFEST: MANIFEST, **statements}
    envelopes = {name: _envelope(bundle, name, signed) for name, signed in pairs.items()}
    told = _ask("check", public_key, list(envelopes.values()), say)
    for name, good in zip(envelopes, told["good"], strict=True):
        if not good:
            raise ArtifactError(
                f"{name} was not signed with the key {public_key.name}",
                hint="get the key of whoever made the bundle from a place that you trust, or do not use the bundle",
            )


def _envelope(bundle: Bundle, name: str, signed: str) -> dict[str, Any]:
    """Return an envelope, having seen that it holds the very bytes of the document it stands for."""
    if name not in bundle.archive.members:
        raise ArtifactError(f"{name} is missing: the bundle is not signed", hint="ask for one made with --sign")
    told = bundle.document(name)
    try:
        payload, kind = base64.b64decode(told["payload"], validate=True), told["payloadType"]
        signatures = [{"keyid": str(one["keyid"]), "sig": str(one["sig"])} for one in told["signatures"]]
        if len(signatures) > MOST_SIGNATURES:
            raise broken(name, "has more signatures than anybody needs")
    except (LookupError, TypeError, ValueError) as error:
        raise broken(name, "is not an envelope") from error
    if (hashlib.sha256(payload).hexdigest(), kind) != (bundle.digest_of(signed), _type(signed)):
        raise broken(name, f"does not hold {signed}")
    return {"payload": told["payload"], "payloadType": kind, "signatures": signatures}


def _ask(what: str, key: Path, documents: list[Any], say: Callable[[str], None]) -> Any:
    if not key.is_file():
        raise ProfileError(f"there is no key {str(key)!r}", hint="give the path of a key in PEM, as openssl writes it")
    environment = Environment("attest", PROJECT / "requirements" / "attest.lock", HOME / "environments")
    environment.ensure(say)
    command = [str(environment.python), "-I", str(PROJECT / "coralline" / "bundle" / "envelope.py")]
    question = json.dumps({"do": what, "key": str(key.resolve()), "documents": documents})
    done = subprocess.run(command, input=question, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"envelopes: {done.stderr[-2000:]}")
    told = json.loads(done.stdout)
    if "trouble" in told:
        kind = "private" if what == "sign" else "public"
        raise ProfileError(
            f"{key.name} cannot be used as a {kind} key: {told['trouble']}",
            hint="expected PEM without a pass phrase: Ed25519, ECDSA (NIST curves) or RSA, as openssl writes it",
        )
    return told


def _type(name: str) -> str:
    return MANIFEST_TYPE if name == MANIFEST else STATEMENT_TYPE
