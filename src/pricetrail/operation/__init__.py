"""The operation: what comes in, the scheduled run, and what keeps them going."""
