"""What DVC and git recorded: lock, dvc.yaml, ledger, trace, verify, why, replay, exports."""
