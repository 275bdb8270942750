"""From the configuration to designs, jobs and files. Knows nothing of torch, Snakemake or what is in the files."""
