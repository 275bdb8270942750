"""From prompts and images to numbers: scores of prompts on a task, and how similar tasks are. Knows nothing of studies."""
