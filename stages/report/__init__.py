"""The report stage: tables, figures and one page from the artifacts of a run."""
