"""What one process of a study does: several prompts or cells of which only the missing and stale are computed.

Every job keeps what still holds, so it can be killed and repeated at any time. Knows nothing of Snakemake.
"""
