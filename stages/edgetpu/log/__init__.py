"""Reading what the compiler prints: every grammar of its output, from versions 1.0 to 16.0."""
