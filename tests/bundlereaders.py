"""Reads a bundle with the tools of others, in the environment of requirements/bundle-tests.lock; prints what they say.

    python bundlereaders.py BUNDLE FOLDER    FOLDER is empty, and for the validator's memory of the network

The validator would fetch the vocabulary of RO-Crate 1.1; it is given the copy that the package rocrate carries.
"""

from __future__ import annotations

import importlib.resources
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import requests
from google.protobuf.json_format import ParseDict
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage
from requests_cache import CachedRequest, CachedResponse, CachedSession
from rocrate.rocrate import ROCrate
from rocrate_validator.models import Severity
from rocrate_validator.services import ValidationSettings, validate

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
ACCEPTED = "application/ld+json, application/json, */*;q=0.1"
PROFILE = "provenance-run-crate"


def main() -> None:
    """Print one JSON object with what every reader found."""
    bundle, folder = Path(sys.argv[1]), Path(sys.argv[2])
    told = {"crate": issues(bundle, folder), "entities": entities(bundle), "statements": statements(bundle)}
    print(json.dumps(told))


def issues(bundle: Path, folder: Path) -> dict[str, Any]:
    """What the validator finds wrong, required or recommended, without any network."""
    remember_context(folder / "memory")
    settings = ValidationSettings(
        rocrate_uri=bundle,
        profile_identifier=PROFILE,
        requirement_severity=Severity.RECOMMENDED,
        offline=True,
        cache_path=folder / "memory",
    )
    result = validate(settings)
    found = [(one.severity.name, one.check.name, str(one.message)) for one in result.get_issues()]
    return {"profile": PROFILE, "checks": len(result.executed_checks), "issues": sorted(set(found))}


def remember_context(place: Path) -> None:
    """Put the vocabulary where the validator looks before it asks the network."""
    request = requests.Request("GET", CONTEXT, headers={"Accept": ACCEPTED}).prepare()
    response = CachedResponse(url=CONTEXT, status_code=200, headers={"Content-Type": "application/ld+json"})
    response._content = importlib.resources.files("rocrate").joinpath("data", "ro-crate.jsonld").read_bytes()
    response.request = CachedRequest.from_request(request)
    session = CachedSession(cache_name=str(place), backend="sqlite", expire_after=-1)
    session.cache.save_response(response, session.cache.create_key(request))
    session.close()


def entities(bundle: Path) -> dict[str, Any]:
    """What the reader of RO-Crates sees."""
    crate = ROCrate(bundle)
    steps = [action for action in crate.get_by_type("CreateAction") if action.id.startswith("#action/")]
    made = {
        str(action["name"]): [one.id for one in action.get("object", []) if "#artifact" in one.id] for action in steps
    }
    return {"workflow": crate.mainEntity.id, "steps": made}


def statements(bundle: Path) -> list[str]:
    """The steps whose provenance the classes of in-toto and SLSA accept; they raise for any field that they lack."""
    accepted = []
    with zipfile.ZipFile(bundle) as opened:
        for name in opened.namelist():
            if name.endswith("/provenance.json"):
                told = json.loads(opened.read(name))
                Statement.copy_from_pb(ParseDict(told, StatementMessage())).validate()
                predicate = ParseDict(told["predicate"], Provenance())
                assert predicate.build_definition.build_type
                assert predicate.run_details.builder.id
                accepted.append(predicate.build_definition.external_parameters["label"])
    return accepted


if __name__ == "__main__":
    main()
