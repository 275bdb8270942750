"""From tables to the page and the figures. Knows nothing of how the numbers came about."""
