"""Collecting: `survey` says what the store can do without, `remove` takes it away and nothing that is in use.

docs/explanation/store.md says why nothing in use can be taken.
"""

from coralline.collect.removal import Removed, remove
from coralline.collect.survey import Kind, Limits, Piece, Survey, survey

__all__ = ["Kind", "Limits", "Piece", "Removed", "Survey", "remove", "survey"]
