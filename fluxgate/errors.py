"""What can go wrong between this program and a gateway.

GatewayError
|-- GatewayUnreachable   no connection, or silence for too long
|-- GatewayRefused       the gateway answered a problem: status, code, detail
`-- AnswerBroken         the answer stopped before its end: nothing of it is given out
"""

from collections.abc import Mapping


class GatewayError(Exception):
    """Root of the tree."""


class GatewayUnreachable(GatewayError):
    """No connection to the gateway, or no byte of an answer in time."""


class GatewayRefused(GatewayError):
    """A problem document (RFC 9457). `code` is stable; `detail` says what to do; `problem` holds all members."""

    def __init__(self, status: int, problem: Mapping[str, object]) -> None:
        self.status = status
        self.problem = problem
        self.code = str(problem.get("code", "error"))
        self.detail = str(problem.get("detail", "The gateway gave no reason."))
        upstream = f" The server behind the gateway wrote: {problem['upstream']}" if problem.get("upstream") else ""
        super().__init__(f"{self.detail} ({status} {self.code}){upstream}")


class AnswerBroken(GatewayError):
    """The connection ended before the answer did. Ask again; the gateway's log says why."""
