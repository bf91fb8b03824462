"""Floor 3: container images: what goes into one, and how it is built and pushed. Knows no cloud."""
