"""The results of a run as types, and what is written from them: page and card."""
