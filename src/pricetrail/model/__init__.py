"""The primary model, its training, search, bundle and explanation."""
