"""The settings of connectors."""

from pydantic import BaseModel, Field


class ConnectorSettings(BaseModel):
    """Names are the environment's, in lower case here."""

    connector_private_addresses: bool = Field(
        True,
        description="Allow connectors to post to private addresses and this machine; off: only to public ones."
        " Link-local and metadata addresses are never allowed.",
    )
