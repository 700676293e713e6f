"""New source files into the tracked folder."""
