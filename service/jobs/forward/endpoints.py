"""What opens the two ends of a connector for the time of a run."""

from contextlib import AbstractContextManager
from typing import Protocol

from service.sources.config import SourceText
from service.sources.protocol import Source
from service.transfer.run_control import RunControl
from service.transfer.run_log import Log
from service.upstream.config import Upstream
from service.upstream.protocol import Sink


class ConnectorEndpoints(Protocol):
    """Opens sources and sinks. `control` ends their waits; `log` takes what people should know."""

    def source(self, text: SourceText, control: RunControl, log: Log) -> AbstractContextManager[Source]:
        """The source. Nothing is connected to before its first use. Raises InvalidParameter."""

    def sink(self, upstream: Upstream, control: RunControl, log: Log) -> AbstractContextManager[Sink]:
        """The upstream. Nothing is connected to before its first use. Raises InvalidParameter."""
