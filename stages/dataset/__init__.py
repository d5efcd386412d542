"""The dataset stage: simulated events, or an index over images of the user's."""
