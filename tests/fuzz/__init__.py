"""Damaged files, thousands of them, into everything that reads files of strangers."""
