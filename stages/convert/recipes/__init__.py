"""The recipes: each module has `convert(source: Source) -> Converted` and is named after its entry in the table."""
