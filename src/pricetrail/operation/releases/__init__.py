"""Releases: which commit's bundle serves, as signed git tags made with GTO; nothing of one is ever overwritten."""
