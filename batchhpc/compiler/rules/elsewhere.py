"""Rules of the same chapters that no job and no environment can break, and why."""

from __future__ import annotations

from typing import Final

ELSEWHERE: Final = {
    "R44": "CancelJob and TerminateJob are requests of a runner, not part of a job's documents",
    "R52": "quota shares are for SageMaker service environments, which an environment spec cannot describe",
    "R62": "the network mode of an array's containers is not documented; the agent looks at its address as it starts",
    "R73": "service role and instance profile are the environment's own, so nobody can name wrong ones",
    "R83": "the layout of EFA interfaces is chosen for the instance types, not written in a spec",
    "R107": "buckets are not mounted: jobs use s3://, or lustre: {data: ...} shows parts of a bucket as files",
}
