"""The weekly run by the clock: Prefect's server, flow and deployment."""
