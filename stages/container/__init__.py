"""The packed container: a quantised network in fewer bits than any runtime executes, stored and nothing more."""
