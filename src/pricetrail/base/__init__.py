"""What everything stands on: errors, params.yaml as types, files and Parquet, random streams."""
