"""What is wrong with tools, packages, git, schedule, keys, remote, lock or disk."""
