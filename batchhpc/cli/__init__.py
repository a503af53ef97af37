"""Verbs: arguments in, one call, text out.

Takes: the command line.
Gives: text for people, or JSON with ``--json``; the exit code of the error or of the job.
May import: everything below, each verb only what it needs, when it runs.
Never does: decide anything. What a verb does is one call that a Python user could make, too.
"""
