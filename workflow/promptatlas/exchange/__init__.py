"""Prompts and results in and out: classifiers from a prompt's file, released checkpoints, archives."""
