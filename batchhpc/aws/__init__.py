"""Carried out on AWS.

Takes: credentials as boto3 finds them.
Gives: what DescribeInstanceTypes says of EC2's instance types, for the catalogue.
May import: jobs, compiler, spec, agent.contract, errors, boto3. The only package that imports boto3.
Never does: spend money, yet: it reads only.
"""
