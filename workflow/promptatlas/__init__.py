"""promptatlas measures which visual task helps which, for prompts learned on frozen CLIP-like models."""

# Part of every fingerprint: raised by hand when a change may move a stored number.
NUMERICS_VERSION = 1
