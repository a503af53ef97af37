"""Carried out on AWS.

Takes: compiled environments and jobs, and credentials as boto3 finds them.
Gives: environments planned, deployed and destroyed through CloudFormation; `BatchRunner`, which takes jobs to AWS Batch; prices.
May import: jobs, compiler, spec, agent.contract, errors, boto3. The only package that imports boto3, and only when AWS is asked.
Never does: delete data or replace what holds them unless told to; submit a job without a look at the live queue.
"""

from __future__ import annotations

from batchhpc.aws.jobs.runner import BatchRunner

__all__ = ["BatchRunner"]
