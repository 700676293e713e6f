"""What is wrong with tools, git, remote, lock, disk or clock."""
