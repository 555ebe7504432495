"""Fluxgate, the data gateway in front of InfluxDB."""

__version__ = "0.1.0"
