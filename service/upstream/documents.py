"""Makes the document of a batch in the payload of its upstream."""

from service.errors import UpstreamStopped
from service.transfer.run_log import Log
from service.upstream.config import PayloadFormat, Upstream
from service.upstream.document import Document
from service.upstream.json_documents import NdjsonDocument, SensorsDocument, ThingsBoardDocument
from service.upstream.line_document import LineDocument
from service.upstream.merged_frames import merged
from service.upstream.protocol import Batch
from service.upstream.sensor_names import SensorNames
from service.upstream.value_table import NO_NAME, table_of


class Documents:
    """Makes documents for one upstream. Threads may share it."""

    def __init__(self, upstream: Upstream, log: Log) -> None:
        self._upstream = upstream
        self._names = SensorNames(upstream.sensor, log)

    def of(self, batch: Batch) -> Document:
        """The document of a batch.

        Raises UpstreamStopped: no value has a sensor name, as the template names a tag that none has.
        """
        frames = merged(batch.frames)
        if self._upstream.payload is PayloadFormat.LINE_PROTOCOL:
            return LineDocument(frames)
        table, letters = table_of(frames, self._names, self._upstream.sensor)
        if not len(table) and letters and all(letter["code"] == NO_NAME for letter in letters):
            advice = "Change sensor in the connector's upstream, or its source."
            raise UpstreamStopped(f"No value of the batch can be named: {letters[0]['reason']} {advice}")
        match self._upstream.payload:
            case PayloadFormat.THINGSBOARD:
                return ThingsBoardDocument(table, letters)
            case PayloadFormat.NDJSON:
                return NdjsonDocument(table, letters)
            case _:
                return SensorsDocument(table, letters, batch.window)
