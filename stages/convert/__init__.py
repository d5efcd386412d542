"""The convert stage: a trained network becomes a TFLite file by a recipe."""
