"""Collecting: `survey` says what the store can do without, `remove` takes it away and nothing that is in use.

docs/explanation/store.md says why nothing in use can be taken.
"""

from coralline.care.collect.removal import Removed, remove
from coralline.care.collect.survey import Kind, Limits, Piece, Survey, survey

__all__ = ["Kind", "Limits", "Piece", "Removed", "Survey", "remove", "survey"]
