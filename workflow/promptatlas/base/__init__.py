"""What every part needs and no part owns: errors, random number generators, messages, progress, whole files."""
