"""Releases: which commit's bundle serves, as signed git tags in GTO's names; nothing of one is ever overwritten."""
