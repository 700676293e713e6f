"""A trace in the forms that other tools read."""
