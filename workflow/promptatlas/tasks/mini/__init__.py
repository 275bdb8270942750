"""The embedded benchmark: twenty small tasks drawn from explicit factors. Knows nothing of models."""
