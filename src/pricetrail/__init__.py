"""Pricetrail: a reproducible pipeline that predicts quantity at a price and proves how it got there."""

__version__ = "0.1.0"
