"""Harm done to runs at random, again and again: nothing that was finished may be lost, and all runs end alike."""
