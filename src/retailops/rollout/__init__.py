"""Floor 3: how a version takes the place of another: proved, watched, and undone when it fails. Knows no cloud."""
