"""The settings of processes that end and that work behind a broker."""

from pydantic import BaseModel, Field, SecretStr


class ProcessSettings(BaseModel):
    """Names are the environment's, in lower case here."""

    celery_result_backend: SecretStr | None = Field(
        None,
        description="Where Celery keeps the end state of each task, for other tools that look there, such as"
        " redis://127.0.0.1:6379/2. Absent: nowhere; Fluxgate itself has it in the state database.",
    )
    drain_s: float = Field(
        0,
        ge=0,
        le=600,
        description="How long /health/ready answers 503 after SIGTERM before the gateway takes no more connections, in"
        " seconds: the time in which load balancers notice.",
    )
    shutdown_grace_s: int = Field(
        10,
        ge=0,
        le=3600,
        description="How long a gateway that ends waits for running requests, in seconds; then they are cut.",
    )
