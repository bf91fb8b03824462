"""Floor 3: thin wrappers over outside programs, shared by the targets."""
