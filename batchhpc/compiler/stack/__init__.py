"""An environment as one CloudFormation template.

Takes: an `EnvironmentPlan`.
Gives: the template, as plain typed documents; one module per part of it.
May import: compiler.environment, compiler.instances, spec, errors.
Never does: look at the machine, the clock or the network; decide what the plan did not.
"""
