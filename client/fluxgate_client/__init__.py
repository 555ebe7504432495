"""Read InfluxDB through a Fluxgate gateway, exactly, into pandas or Arrow.

from fluxgate_client import connect

gateway = connect("http://127.0.0.1:8000", key)
frame = gateway.read("Power Consumption", window="30d", every="1h").to_pandas()
"""

from fluxgate_client.async_gateway import AsyncAnswer, AsyncGateway, connect_async
from fluxgate_client.columns import UInt
from fluxgate_client.errors import (
    AnswerBroken,
    BadRequest,
    Conflict,
    Forbidden,
    GatewayError,
    GatewayFailed,
    GatewayRefused,
    GatewayUnreachable,
    InvalidParameter,
    InvalidRequest,
    NotFound,
    PointsRefused,
    RateLimited,
    StoreFailed,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from fluxgate_client.gateway import Answer, Gateway, connect
from fluxgate_client.measurements import Measurement, field, tag
from fluxgate_client.notices import GatewayWarning
from fluxgate_client.retries import Retry
from fluxgate_client.version import __version__
from fluxgate_client.writer import LinesOutcome, LineTarget, RefusedLine, Rejected, UnwrittenPoints, Writer, WriterFull

__all__ = [
    "Answer",
    "AnswerBroken",
    "AsyncAnswer",
    "AsyncGateway",
    "BadRequest",
    "Conflict",
    "Forbidden",
    "Gateway",
    "GatewayError",
    "GatewayFailed",
    "GatewayRefused",
    "GatewayUnreachable",
    "GatewayWarning",
    "InvalidParameter",
    "InvalidRequest",
    "LineTarget",
    "LinesOutcome",
    "Measurement",
    "NotFound",
    "PointsRefused",
    "RateLimited",
    "RefusedLine",
    "Rejected",
    "Retry",
    "StoreFailed",
    "TooLarge",
    "UInt",
    "Unauthorized",
    "Unavailable",
    "UnwrittenPoints",
    "Writer",
    "WriterFull",
    "__version__",
    "connect",
    "connect_async",
    "field",
    "tag",
]
