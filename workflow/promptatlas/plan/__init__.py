"""What a study will cost, before it runs. Knows nothing of results."""
