"""Jobs on AWS Batch.

Takes: compiled jobs, or their ids.
Gives: `BatchRunner`; why a job waits; logs of all nodes by time; what a job has cost.
May import: aws.sdk, aws.refusals, aws.quotas, aws.prices, aws.environments.deployed, compiler, spec, jobs, errors.
Never does: submit a job without a look at the live queue; build the name of a log stream.
"""
