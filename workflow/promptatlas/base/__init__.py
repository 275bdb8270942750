"""What every part needs and no part owns: errors, random streams, messages, progress, whole files. Knows nothing of tasks or models."""
