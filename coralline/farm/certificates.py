"""The certificates of a farm behind tls://, as Dask's settings name them. Without them Dask ends in a traceback."""

from __future__ import annotations

from coralline.errors import ProfileError

SCHEME = "tls://"
HINT = "docs/how-to/farm.md says which of Dask's settings name them; the same are needed on every machine of the farm"


def check(address: str, role: str) -> None:
    """Refuse a tls:// address without what is needed there; `role` is that of Dask: scheduler, worker or client.

    Raises:
        ProfileError: the settings name no certificate for the role, or one that cannot be used.
    """
    from distributed.security import Security

    if not address.startswith(SCHEME):
        return
    try:
        found = Security().get_connection_args(role).get("ssl_context")
    except (OSError, ValueError) as error:  # no such file, no right to read it, no certificate in it
        raise ProfileError(f"the certificates of the {role} cannot be used: {error}", hint=HINT) from error
    if found is None:
        raise ProfileError(f"{address} needs certificates, and Dask's settings name none for the {role}", hint=HINT)
