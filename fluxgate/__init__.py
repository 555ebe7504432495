"""Read InfluxDB through a Fluxgate gateway, exactly, into pandas or Arrow.

from fluxgate import connect

gateway = connect("http://127.0.0.1:8000", key)
frame = gateway.read("Power Consumption", window="30d", every="1h").to_pandas()
"""

from fluxgate.answer import Answer
from fluxgate.errors import AnswerBroken, GatewayError, GatewayRefused, GatewayUnreachable
from fluxgate.gateway import Gateway, connect

__all__ = ["Answer", "AnswerBroken", "Gateway", "GatewayError", "GatewayRefused", "GatewayUnreachable", "connect"]
