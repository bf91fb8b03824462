"""`python -m retailops` is `retailops`."""

from __future__ import annotations

from retailops.cli import main

main()
