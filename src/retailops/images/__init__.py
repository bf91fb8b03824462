"""Floor 3: container images: what goes into one, and how it is built, looked over and pushed. Knows no cloud.

Nothing is imported here: inventory.py runs inside an image, where most libraries are missing.
"""
