"""Environments on AWS: planned, deployed, looked at and destroyed, each through CloudFormation.

Takes: a compiled environment, or the name of a deployed one.
Gives: a plan of what would change and cost; a deployment followed to its end; what jobs must know of it.
May import: aws.sdk, aws.refusals, aws.quotas, aws.prices, aws.jobs.listing, compiler, spec, errors.
Never does: replace or delete what holds data unless told to.
"""
