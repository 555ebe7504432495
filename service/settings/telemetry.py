"""The settings of the stream of the latest telemetry."""

from pydantic import BaseModel, Field


class TelemetrySettings(BaseModel):
    """Names are the environment's, in lower case here."""

    telemetry_stream_s: float = Field(
        1,
        ge=0.1,
        le=3600,
        description="How often the newest values are looked up while somebody listens to /telemetry/stream, in seconds;"
        " once for all who ask the same.",
    )
    telemetry_stream_listeners: int = Field(
        256,
        gt=0,
        description="Most open streams of telemetry in each worker; more get 429.",
    )
    telemetry_stream_listeners_per_key: int = Field(
        128,
        gt=0,
        description="Most open streams of telemetry of one key in each worker.",
    )
    telemetry_stream_questions: int = Field(
        16,
        gt=0,
        description="Most different questions of open streams in each worker, because each is looked up by itself."
        " One key gets up to half.",
    )
    telemetry_stream_kb: int = Field(
        1024,
        gt=0,
        description="Largest answer that a stream of telemetry follows, in KB.",
    )
