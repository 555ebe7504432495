"""What a job may become, and how its progress is told."""

import pytest

from service.domain.job import Job, JobState, Progress


def test_an_end_is_left_only_by_queueing_again_and_a_success_never() -> None:
    assert {state for state in JobState if state.ended} == {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}
    assert {state for state in JobState if state.can_be_retried} == {JobState.FAILED, JobState.CANCELLED}


@pytest.mark.parametrize(
    ("progress", "now", "rate", "eta_s"),
    [
        (Progress(50, 100, "slices", base=0, since=1000.0), 1010.0, 5.0, 10.0),
        (
            Progress(50, 100, "slices", base=40, since=1000.0),
            1010.0,
            1.0,
            50.0,
        ),  # what an earlier attempt did does not count
        (Progress(5, 100, "slices", base=0, since=1000.0), 1000.5, 10.0, 9.5),  # from the first moment on
        (Progress(50, None, "points", base=0, since=1000.0), 1010.0, 5.0, None),
        (Progress(100, 100, "slices", base=0, since=1000.0), 1010.0, 10.0, 0.0),
        (Progress(120, 100, "slices", base=0, since=1000.0), 1010.0, 12.0, 0.0),
        (Progress(40, 100, "slices", base=40, since=1000.0), 1010.0, None, None),
        (Progress(50, 100, "slices", base=0, since=1000.0), 1000.0, None, None),
        (Progress(50, 100, "slices", base=0, since=1000.0), 999.0, None, None),
    ],
)
def test_rate_and_rest_are_those_of_this_attempt(
    progress: Progress, now: float, rate: float | None, eta_s: float | None
) -> None:
    assert (progress.rate(now), progress.eta_s(now)) == (rate, eta_s)


def test_progress_counts_from_nothing_where_nobody_says_more() -> None:
    assert Progress(50, 100, "slices").rate(10.0) == 5.0


def test_a_job_that_never_ran_has_no_start_no_fence_and_no_limit() -> None:
    job = Job("1", "mirror", {}, None, JobState.QUEUED, 1_000.0, 1_000.0)
    assert (job.fence, job.attempts, job.version, job.max_attempts, job.cancel_requested) == (0, 0, 0, None, False)
