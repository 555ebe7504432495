"""The kind of job `weather`: the current weather of configured places, from a provider on the internet, as points."""
