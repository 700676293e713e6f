"""Invoice lines: contract, source files, demo shop, features, past lines, splits, encoder."""
