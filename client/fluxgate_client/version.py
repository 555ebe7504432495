"""The version of the client. The gateway's is the same: both come from one repository."""

__version__ = "0.1.0"
