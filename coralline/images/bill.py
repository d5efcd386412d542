"""Turns what an image holds into a CycloneDX document: the same bytes for the same image, and valid by the schema.

Runs in an environment of its own, which `requirements/sbom.lock` pins: reads one JSON object, prints another.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

if TYPE_CHECKING:
    from collections.abc import Iterator

LICENCES = LicenseFactory()


def main() -> int:
    """Read the contents, print the document; return the exit code."""
    text = document(json.load(sys.stdin))
    trouble = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if trouble is not None:
        print(trouble, file=sys.stderr)
        return 1
    sys.stdout.write(text)
    return 0


def document(told: dict[str, Any]) -> str:
    """Return the document of an image, with its keys in one order."""
    image = Component(
        type=ComponentType.CONTAINER,
        name=told["name"],
        version=told["version"],
        bom_ref=told["image"],
        purl=PackageURL("oci", None, told["name"], told["image"], {"arch": told["architecture"]}),
        hashes=[_hash(told["image"])],
        properties=[Property(name=f"coralline:layer:{n}", value=layer) for n, layer in enumerate(told["layers"], 1)],
    )
    parts = [*_debian(told), *_wheels(told["wheels"]), *_vendor(told["vendor"])]
    # The time is that of everything in the image, and the serial number that of its content: neither is this run's.
    bom = Bom(
        components=parts,
        serial_number=uuid5(NAMESPACE_URL, told["image"]),
        metadata=BomMetaData(component=image, timestamp=datetime.fromtimestamp(told["epoch"], UTC)),
    )
    bom.register_dependency(image, parts)
    made = json.loads(JsonV1Dot6(bom).output_as_string())
    return json.dumps(made, indent=1, sort_keys=True) + "\n"


def _debian(told: dict[str, Any]) -> Iterator[Component]:
    for package in told["packages"]:
        where = {"arch": package["architecture"], "distro": told["release"]}
        yield _component(
            PackageURL("deb", "debian", package["name"], package["version"], where),
            licenses=[LICENCES.make_with_name(name) for name in package["licences"]],
            properties=[Property(name="coralline:debian-source", value=package["source"])],
        )


def _wheels(wheels: list[dict[str, Any]]) -> Iterator[Component]:
    """Yield the Python packages: a lock has the hashes of all wheels of a version, of which one was installed."""
    for wheel in wheels:
        purl = PackageURL("pypi", None, wheel["name"], wheel["version"])
        hashes = [_hash(f"sha256:{digest}") for digest in wheel["hashes"]]
        words = [wheel["expression"]] if wheel["expression"] else wheel["licences"]
        licences = [LICENCES.make_from_string(word) for word in words]
        yield _component(
            purl,
            licenses=licences,
            hashes=hashes if len(hashes) == 1 else [],
            external_references=[
                ExternalReference(
                    type=ExternalReferenceType.DISTRIBUTION,
                    url=XsUri(purl.to_string()),
                    comment="the wheels that the lock allows",
                    hashes=hashes,
                )
            ],
        )


def _vendor(files: dict[str, dict[str, str]]) -> Iterator[Component]:
    for name, facts in sorted(files.items()):
        purl = PackageURL("generic", None, name, None, {"checksum": f"sha256:{facts['sha256']}"})
        yield _component(purl, hashes=[_hash(f"sha256:{facts['sha256']}")])


def _component(purl: PackageURL, **more: Any) -> Component:
    """Return a component that its purl names; an expression among several licences is one name among others."""
    licences = more.pop("licenses", [])
    if len(licences) > 1:
        licences = [
            LICENCES.make_with_name(licence.value) if hasattr(licence, "value") else licence for licence in licences
        ]
    return Component(
        type=ComponentType.LIBRARY,
        name=purl.name,
        version=purl.version,
        bom_ref=purl.to_string(),
        purl=purl,
        licenses=licences,
        **more,
    )


def _hash(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest.removeprefix("sha256:"))


if __name__ == "__main__":
    sys.exit(main())
