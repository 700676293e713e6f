"""``pricetrail …``: one command a file, printing only."""
