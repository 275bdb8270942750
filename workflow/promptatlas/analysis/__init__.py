"""From tables to effects, tests and intervals, beside what others published. Knows nothing of how results look."""
