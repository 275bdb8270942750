"""Tasks: what they are, where their pictures come from, and which few of them a prompt may learn from."""
