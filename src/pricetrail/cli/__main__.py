"""``python -m pricetrail.cli`` is ``pricetrail``."""

from pricetrail.cli.app import app

app()
