"""Files that no settings are known of yet: what `pricetrail init` finds in them, with its evidence."""
