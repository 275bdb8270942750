"""The sections of benchmarks/gpu.py, one idea per file."""
