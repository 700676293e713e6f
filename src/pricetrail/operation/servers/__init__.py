"""Programs and servers that a run starts: git, DVC, the embedded S3."""
