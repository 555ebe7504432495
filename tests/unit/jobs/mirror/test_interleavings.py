"""Whatever is written, and whatever breaks in between, in the end both sides are equal to the bit.

Nothing was added either.

Points come late, early, again with another value, in another week with another type. Runs are broken off at
any write, read or checkpoint; stores go away, break in the middle of an answer, or ask for patience.
"""

from collections.abc import Callable, Iterator
from itertools import count

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from service.domain.durations import parse_duration
from service.domain.job import JobInterrupted
from service.domain.schema import BucketSpec
from service.domain.shards import shard_start
from service.errors import FluxgateError, MirrorIncomplete, StoreBroken, StoreBusy, StoreError, StoreUnavailable
from tests.support.mirror_faults import PLANTED, AltersLines, Fails, WaitingContext
from tests.support.mirrors import A, B, digests
from tests.support.rows import store_all
from tests.support.stores import Through, embedded_store
from tests.unit.jobs.mirror.conftest import NOON, Stage

SEVENS = ("7i", "7", '"seven"', "7u", "true")
"""The field `v` has another type every week."""
WEEK_NS = parse_duration("1w", "shard")
ACTS = ("read", "block", "write", "written", "save")
days = st.sampled_from([-700, -63, -14, -7, -2, -1, 0, 1, 4, 7, 70])
places = st.integers(0, 5)


class Mirroring(RuleBasedStateMachine):
    """One mirror between buckets of its own in the two stores of `stage`. `wrap` is put around the target."""

    stage: Stage
    numbers: Iterator[int]
    wrap: Callable[[Through], Through] = staticmethod(lambda store: store)

    def __init__(self) -> None:
        super().__init__()
        self.bucket = f"W{next(self.numbers)}"
        self.stage.time.now = NOON
        self.stage.a.create_bucket(BucketSpec(self.bucket))
        self.stage.configure(buckets=[self.bucket])
        self.trouble: Callable[[str], None] = lambda act: None
        self.stage.stores = {
            A: Fails(self.stage.a, self._before),
            B: Fails(type(self).wrap(self.stage.b), self._before),
        }  # type: ignore[dict-item,arg-type]
        self.today = self.stage.now_ns
        self.dirty = False

    def _before(self, act: str) -> None:
        self.trouble(act)

    def _at(self, day: int, place: int) -> int:
        return self.today + day * 86_400 * 10**9 + place * 7 * 60 * 10**9 + place

    @rule(day=days, place=places, value=st.integers(0, 3), host=st.sampled_from("ab"))
    def write(self, day: int, place: int, value: int, host: str) -> None:
        """A point of that day: late, early, or again with another value."""
        time_ns = self._at(day, place)
        seven = SEVENS[shard_start(time_ns, WEEK_NS) // WEEK_NS % len(SEVENS)]
        store_all(self.stage.a, self.bucket, f"m,host={host} v={seven},f={value}.5,i={value}i {time_ns}")
        self.dirty = True

    @rule(day=days, points=st.integers(1, 40))
    def write_many(self, day: int, points: int) -> None:
        """A series of its own, an hour between two points."""
        store_all(
            self.stage.a,
            self.bucket,
            "\n".join(f"many n={step}i {self._at(day, 0) + step * 3_600 * 10**9}" for step in range(points)),
        )
        self.dirty = True

    @rule(hours=st.sampled_from([1, 30]))
    def wait(self, hours: int) -> None:
        self.stage.time.now += hours * 3_600

    @precondition(lambda self: self.dirty)
    @rule()
    def run(self) -> None:
        self._run(lambda act: None)

    @precondition(lambda self: self.dirty)
    @rule(act=st.sampled_from(ACTS), after=st.integers(0, 8))
    def run_and_crash(self, act: str, after: int) -> None:
        self._run(_after(after, act, [JobInterrupted("crash")]))

    @precondition(lambda self: self.dirty)
    @rule(
        act=st.sampled_from(ACTS[:-1]),
        after=st.integers(0, 8),
        error=st.sampled_from([StoreUnavailable, StoreBroken, StoreBusy]),
        times=st.sampled_from([1, 3, 20]),
    )
    def run_in_trouble(self, act: str, after: int, error: type[FluxgateError], times: int) -> None:
        self._run(_after(after, act, [error("planted") for _ in range(times)]))

    def _run(self, trouble: Callable[[str], None]) -> None:
        self.trouble = trouble
        try:
            self.stage.run(WaitingContext(self.stage.time, lambda: self._before("save")))
        except (JobInterrupted, StoreError):
            return
        finally:
            self.trouble = lambda act: None

    def teardown(self) -> None:
        self.stage.wait(31)
        self.stage.run(WaitingContext(self.stage.time))
        assert digests(self.stage.a, self.bucket) == digests(self.stage.b, self.bucket)
        assert self.stage.run(WaitingContext(self.stage.time))["pairs"][0]["copied_points"] == 0


def _after(passing: int, wanted: str, errors: list[Exception]) -> Callable[[str], None]:
    """Lets `passing` acts named `wanted` pass, and then raises these errors, one each."""
    left = [None] * passing + errors

    def before(act: str) -> None:
        if act == wanted and left:
            error = left.pop(0)
            if error is not None:
                raise error

    return before


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("interleavings")
    made = Stage(folder, *(embedded_store(folder / name) for name in ("a", "b")))
    yield made
    made.a.close()
    made.b.close()
    made.state.close()


NUMBERS = count()


def check(
    stage: Stage, wrap: Callable[[Through], Through], examples: int, steps: int, phases: tuple[Phase, ...]
) -> None:
    machine = type("Machine", (Mirroring,), {"stage": stage, "numbers": NUMBERS, "wrap": staticmethod(wrap)})
    told = settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=True,
        phases=phases,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=told)


@pytest.mark.timeout(300)
def test_any_interleaving_ends_in_equal_sides(stage: Stage) -> None:
    check(stage, lambda store: store, 30, 12, (Phase.generate, Phase.shrink))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("alter", PLANTED, ids=lambda alter: alter.__name__)
def test_a_target_that_lies_is_found_out(stage: Stage, alter: Callable[[list[str]], list[str]]) -> None:
    """The test above is worth something only if it fails for what is planted."""
    with pytest.raises((AssertionError, MirrorIncomplete)):
        check(stage, lambda store: AltersLines(store, alter), 20, 4, (Phase.generate,))  # type: ignore[arg-type]
