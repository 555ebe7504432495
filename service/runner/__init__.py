"""Runs jobs: one run, a pool in the process or workers on many machines, and the schedules."""
