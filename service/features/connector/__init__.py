"""Connectors: points of the store or a database go to an upstream API, on request and by schedule."""

SUMMARY = "List, steer and look at connectors, which send points to an upstream API."
