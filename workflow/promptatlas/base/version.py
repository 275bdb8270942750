"""The version of everything that determines a stored number. Knows nothing of what the numbers are."""

# Part of every fingerprint: raised by hand when a change may move a stored number.
NUMERICS_VERSION = 1
