"""Care for the store: what it can do without, what is broken in it, how two runs in it differ."""
