"""The files that results are kept in, and what each was computed from. Knows nothing of how a result is computed."""
