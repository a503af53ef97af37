"""What things cost, asked of AWS.

Takes: what a template or a job is billed by (`compiler.billing`).
Gives: prices, cached; costs of environments by the hour, and of jobs before they run.
May import: aws.sdk, compiler, spec, jobs, errors.
Never does: hold a price of its own. What cannot be had is unknown, never 0.
"""
