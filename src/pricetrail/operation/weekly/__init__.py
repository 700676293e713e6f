"""The weekly run as a transaction."""
