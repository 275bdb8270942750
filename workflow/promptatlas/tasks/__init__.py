"""Tasks: what they are, where their images come from, and which few of them a prompt may be trained on."""
