"""A source as people write it: what stands under `source` in the configuration of a connector.

    {"store": {"bucket": "Plant", "measurement": ["boiler"], "every": "1m", "fn": "mean"}}
    {"sql": {"table": "readings", "sensor_column": "tag", "zone": "Europe/Berlin"}}
    {"python": {"class": "plant.historian:Historian", "options": {"site": "north"}}}

Which member is given says which source it is. Errors name the member that is wrong, beginning with `source.`.
"""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.sources.python_text import PythonDefinition, PythonText
from service.sources.rules import SourceRules
from service.sources.sql_text import SqlDefinition, SqlText
from service.sources.store_text import StoreDefinition, StoreText

SourceDefinition = StoreDefinition | SqlDefinition | PythonDefinition
_MEMBERS = ("store", "sql", "python")


class SourceText(BaseModel):
    """A source of a connector: exactly one of its members is given."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    store: StoreText | None = Field(None, description="Buckets of the gateway's own store.")
    sql: SqlText | None = Field(None, description="A table or query of a SQL database.")
    python: PythonText | None = Field(None, description="A class of an installed Python package.")

    @model_validator(mode="after")
    def _is_one_source(self) -> Self:
        if sum(getattr(self, member) is not None for member in _MEMBERS) != 1:
            raise ValueError("give exactly one of store, sql and python")
        return self

    def definition(self, rules: SourceRules) -> SourceDefinition:
        """The source that this text means. Nothing is connected to, and no class is loaded.

        Raises InvalidParameter under the name of the member, such as `source.sql.query`.
        """
        if self.store is not None:
            return self.store.definition("source.store")
        if self.sql is not None:
            return self.sql.definition("source.sql", rules)
        assert self.python is not None
        return self.python.definition("source.python", rules)

    def check(self, rules: SourceRules) -> None:
        """Refuse what is wrong without asking any server. Raises InvalidParameter."""
        self.definition(rules)

    def settle_ns(self, rules: SourceRules) -> int:
        """How old data has to be before it is read, because it may still arrive; 0: as soon as it is there.

        Raises InvalidParameter.
        """
        return self.definition(rules).settle_ns
