"""What is wrong with tools, packages, git, schedule, Prefect, keys, remote, lock, releases, cache or disk."""
