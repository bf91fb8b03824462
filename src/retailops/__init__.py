"""retailops: the whole life of a retail price-sensitivity model in one CLI."""

__version__ = "0.1.0"
