"""Signs and checks DSSE envelopes, in a process of its own that has securesystemslib: see signatures.py.

Standard input: `{"do": "sign" | "check", "key": path, "documents": [{"type", "payload"} | an envelope]}`, payloads in
base64. Standard output: `{"envelopes": [...]}`, `{"good": [true, ...]}`, or `{"trouble": text}` where the key is of no
use. Never imports coralline, which is not in that environment.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey


def main() -> None:
    """Answer the one question on standard input."""
    asked = json.load(sys.stdin)
    try:
        key = Path(asked["key"]).read_bytes()
        answer = _sign(key, asked["documents"]) if asked["do"] == "sign" else _check(key, asked["documents"])
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: a key with a pass phrase
        answer = {"trouble": str(error)}
    json.dump(answer, sys.stdout)


def _sign(key: bytes, documents: list[dict[str, Any]]) -> dict[str, Any]:
    signer = CryptoSigner(load_pem_private_key(key, password=None))
    envelopes = [Envelope(base64.b64decode(told["payload"]), told["type"], {}) for told in documents]
    for envelope in envelopes:
        envelope.sign(signer)
    return {"envelopes": [envelope.to_dict() for envelope in envelopes]}


def _check(key: bytes, documents: list[dict[str, Any]]) -> dict[str, Any]:
    public = SSlibKey.from_crypto(load_pem_public_key(key))
    return {"good": [_is_good(told, public) for told in documents]}


def _is_good(told: dict[str, Any], key: SSlibKey) -> bool:
    try:
        Envelope.from_dict(told).verify([key], 1)
    except (VerificationError, ValueError, LookupError, TypeError, AttributeError):
        return False
    return True


if __name__ == "__main__":
    main()
