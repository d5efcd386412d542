"""What `./run --list` shows: names of tasks, their options and help. No logic; each calls one command."""
