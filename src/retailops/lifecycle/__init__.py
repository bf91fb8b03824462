"""Floor 4: one file, one command, one story, told the same way for every target."""
