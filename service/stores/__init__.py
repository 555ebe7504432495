"""Time-series databases behind one port."""
