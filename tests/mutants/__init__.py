"""Random changes to the code, each held against the unit tests of its file: `make mutants`. See docs/maintaining.md."""
