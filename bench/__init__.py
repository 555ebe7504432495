"""Benchmarks. Each compares in one run and prints ratios; docs/benchmarks.md holds the last figures."""
