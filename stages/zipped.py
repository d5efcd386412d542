"""How members of zip files may be packed that come from others."""

from __future__ import annotations

import zipfile

PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # damage in others ends in errors of their own libraries
