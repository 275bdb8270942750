"""Formats other than class folders in which people have labelled images: each lists them, extracts and unpickles nothing."""
