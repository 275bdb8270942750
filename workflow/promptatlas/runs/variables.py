"""The environment variables by which a run reaches its jobs. Knows nothing of what they say."""

# Jobs may run in other processes, also on other machines; the environment reaches them all and is no provenance.
FORCED = "PROMPTATLAS_FORCED"
DETERMINISTIC = "PROMPTATLAS_DETERMINISTIC"
LOOKS = "PROMPTATLAS_LOOKS"
ASKED = "PROMPTATLAS_ASKED"
