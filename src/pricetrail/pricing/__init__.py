"""What a price does, and which one to ask."""
