"""What a person sees of a result: one small function a command, `view(console, result)`; nothing is computed here."""
