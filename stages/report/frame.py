"""Renders a page that loads nothing: one frame, one style and one script for all, and a policy against the rest."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import jinja2

HERE = Path(__file__).parent


def render(template: Path, **told: Any) -> str:
    """Fill a template that extends `frame.html.j2`; what it does not know is an error, and text is never markup."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, HERE]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    script = (HERE / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(("\n" + script).encode("utf-8")).digest()).decode("ascii")
    return environment.get_template(template.name).render(
        **told,
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        script=script,
        script_digest="sha256-%s" % digest,
    )
