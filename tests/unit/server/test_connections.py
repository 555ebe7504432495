"""Who is let in when a worker is full, and that the bounds reach another process."""

import pickle
from dataclasses import dataclass
from functools import partial

from service.server.bounds import RESERVED_CONNECTIONS, ConnectionBounds
from service.server.connections import Admission, Connections
from service.server.protocol import BoundedProtocol

BOUNDS = ConnectionBounds(
    1024, 1024, 4096, 10, 1.0, connections=3, connections_per_address=2, trusted_proxies=("10.0.0.0/8", "::1")
)


@dataclass(eq=False)
class One:
    """A connection as the register sees it."""

    address: str
    since: float = 0.0
    waits_for_client: bool = False
    only_health: bool = False
    ended: bool = False

    def evict(self) -> None:
        self.ended = True


def test_the_one_that_waited_longest_gives_way_to_one_of_its_address() -> None:
    register, first, second = Connections(), One("a", 1.0, waits_for_client=True), One("a", 2.0, waits_for_client=True)
    assert [register.add(one, BOUNDS) for one in (first, second, One("a"))] == [Admission.ALL] * 3
    assert (first.ended, second.ended, len(register)) == (True, False, 2)


def test_when_all_are_at_work_a_new_one_is_for_health_until_those_are_too_many() -> None:
    register = Connections()
    for _ in range(2):
        register.add(One("a"), BOUNDS)
    late = []
    for _ in range(RESERVED_CONNECTIONS + 1):
        one = One("a")
        late.append(register.add(one, BOUNDS))
        one.only_health = True
    assert late == [Admission.HEALTH] * RESERVED_CONNECTIONS + [Admission.NONE]
    assert len(register) == 2 + RESERVED_CONNECTIONS


def test_a_trusted_proxy_has_no_bound_of_its_own() -> None:
    register = Connections()
    assert [register.add(One("10.1.2.3"), BOUNDS) for _ in range(4)] == [Admission.ALL] * 3 + [Admission.HEALTH]
    assert [BOUNDS.is_trusted(address) for address in ("10.9.9.9", "::1", "11.0.0.1", "")] == [True, True, False, True]


def test_the_addresses_of_one_64_are_one_client() -> None:
    register = Connections()
    addresses = ("2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:2:ffff::3", "2001:db8:1:3::1")
    assert [register.add(One(address), BOUNDS) for address in addresses] == [
        Admission.ALL,
        Admission.ALL,
        Admission.HEALTH,
        Admission.HEALTH,
    ]
    alone = Connections()
    assert [alone.add(One(address), BOUNDS) for address in addresses[1:]] == [Admission.ALL] * 3


def test_one_that_ends_makes_room() -> None:
    register, one = Connections(), One("a")
    for new in (one, One("a")):
        register.add(new, BOUNDS)
    register.discard(one)
    assert register.add(One("a"), BOUNDS) is Admission.ALL


def test_the_protocol_of_a_worker_can_be_sent_to_its_process() -> None:
    sent = pickle.loads(pickle.dumps(partial(BoundedProtocol, bounds=BOUNDS, register=Connections())))
    assert (sent.keywords["bounds"], len(sent.keywords["register"])) == (BOUNDS, 0)
