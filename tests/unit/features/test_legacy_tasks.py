"""Jobs in the words of existing callers: five states, and a sentence for each."""

import pytest

from service.domain.job import Job, JobState, Json, Progress
from service.features.connector.legacy_routes import task_of
from service.features.connector.schemas import LegacyTask

HALF = Progress(6, 12, "windows")
AWAY: Json = {"code": "upstream_unavailable", "message": "The upstream is away."}


def job(state: JobState, **members: object) -> Job:
    return Job("id", "forward", {}, None, state, 0.0, 0.0, **members)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "task"),
    [
        (job(JobState.QUEUED), LegacyTask(state="PENDING", current=0, total=0, status="queued", result=None)),
        (job(JobState.RUNNING), LegacyTask(state="STARTED", current=0, total=0, status="running", result=None)),
        (
            job(JobState.RUNNING, progress=HALF),
            LegacyTask(state="PROGRESS", current=6, total=12, status="6 of 12 windows", result=None),
        ),
        (
            job(JobState.QUEUED, progress=HALF, error=AWAY),
            LegacyTask(state="PROGRESS", current=6, total=12, status="The upstream is away.", result=None),
        ),
        (
            job(JobState.SUCCEEDED, progress=HALF, result={"sent": 1}),
            LegacyTask(state="SUCCESS", current=6, total=12, status="succeeded", result={"sent": 1}),
        ),
        (
            job(JobState.FAILED, error=AWAY),
            LegacyTask(state="FAILURE", current=0, total=0, status="The upstream is away.", result=None),
        ),
        (
            job(JobState.CANCELLED, progress=Progress(6, None, "windows")),
            LegacyTask(state="FAILURE", current=6, total=0, status="cancelled", result=None),
        ),
    ],
)
def test_a_job_is_told_in_the_words_of_existing_callers(given: Job, task: LegacyTask) -> None:
    assert task_of(given) == task
