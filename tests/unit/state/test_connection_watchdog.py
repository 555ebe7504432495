"""A deadline for a connection whose server is there and says nothing."""

import socket
import time

from service.state.connection_watchdog import ConnectionWatchdog


def test_a_wait_for_a_silent_server_ends_at_the_deadline_as_if_it_had_died() -> None:
    watchdog, (ours, server) = ConnectionWatchdog(), socket.socketpair()
    begun = time.monotonic()
    with ours, server, watchdog.limited(ours, 0.3):
        assert ours.recv(1) == b""
    assert 0.2 < time.monotonic() - begun < 5
    watchdog.close()


def test_a_connection_that_is_answered_in_time_stays_usable() -> None:
    watchdog, (ours, server) = ConnectionWatchdog(), socket.socketpair()
    with ours, server:
        with watchdog.limited(ours, 1.0):
            server.sendall(b"a")
            assert ours.recv(1) == b"a"
        time.sleep(1.3)
        server.sendall(b"b")
        assert ours.recv(1) == b"b"
    watchdog.close()
