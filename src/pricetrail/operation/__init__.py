"""The scheduled run: a transaction from a commit of the branch to the next, all of it published or nothing."""
