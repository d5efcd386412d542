"""Bundles: one zip file with the records, provenance, locks, logs and, if wanted, outputs of a run.

    layout       which members there are, and which names and sizes are possible
    archive      a zip file in the one form in which every byte counts
    headers      the bytes of that form which are not of a member
    documents    what is derived from run and records, by writer and reader alike; crate and actions for other tools
    contents     what goes into the bundle of a run, with locks
    writer       the same bytes for the same run
    foreign      JSON of others, bounded before it is parsed
    shapes       what a foreign run or record must be like
    reader       a bundle of whoever gave it, checked from end to end before anything in it is believed
    importing    from a bundle into a store
    signatures   whose key signed it, asked of a process of its own (envelope)

How to use them: docs/how-to/share-a-run.md. What a statement of provenance says: docs/reference/provenance.md.
"""
