"""Every variable, port, exit code and log event that compiler, local runner, agent and rank share.

docs/reference/agent.md is generated from this file. Whatever stands here is written by one side and read by another; a
contract test fails if a name has only one of the two.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Final

# --- Set by AWS Batch (R41), and by the local runner on exactly the same nodes ------------------------------------------
JOB_ID: Final = "AWS_BATCH_JOB_ID"  # the job; of a node it may end in #n
JOB_ATTEMPT: Final = "AWS_BATCH_JOB_ATTEMPT"  # which attempt this is, from 1
COMPUTE_ENVIRONMENT: Final = "AWS_BATCH_CE_NAME"  # the compute environment
JOB_QUEUE: Final = "AWS_BATCH_JQ_NAME"  # the job queue
NODE_INDEX: Final = "AWS_BATCH_JOB_NODE_INDEX"  # this node, from 0; multi-node jobs only, like the next three
NUM_NODES: Final = "AWS_BATCH_JOB_NUM_NODES"  # how many nodes the job has
MAIN_NODE_INDEX: Final = "AWS_BATCH_JOB_MAIN_NODE_INDEX"  # which of them is the main node
MAIN_NODE_ADDRESS: Final = "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"  # where the main node is; children only
ARRAY_INDEX: Final = "AWS_BATCH_JOB_ARRAY_INDEX"  # this child of an array, from 0; children of arrays only, like the next (R61)
ARRAY_SIZE: Final = "AWS_BATCH_JOB_ARRAY_SIZE"  # how many children the array has

# --- Written by the compiler into the job definition, read by the agent --------------------------------------------------
LAUNCHER: Final = "BATCHHPC_LAUNCHER"  # which mpirun: auto | openmpi | mpich | intelmpi | none
RANKS_PER_NODE: Final = "BATCHHPC_RANKS_PER_NODE"  # MPI ranks on this node
CPUS_PER_RANK: Final = "BATCHHPC_CPUS_PER_RANK"  # vCPUs of each rank; with more than one, ranks are not bound to cores
FABRIC: Final = "BATCHHPC_FABRIC"  # efa | ena: what carries MPI messages
JOIN_TIMEOUT: Final = "BATCHHPC_JOIN_TIMEOUT"  # seconds until nodes that have not joined are missing
LOST_AFTER: Final = "BATCHHPC_LOST_AFTER"  # seconds of silence after which a node is lost
STOP_GRACE: Final = "BATCHHPC_STOP_GRACE"  # seconds between SIGTERM and SIGKILL (R40)
SECRET: Final = "BATCHHPC_SECRET"  # noqa: S105 - agents prove to each other that they know it; no rank has it in its environment

COMPILED: Final = (LAUNCHER, RANKS_PER_NODE, CPUS_PER_RANK, FABRIC, JOIN_TIMEOUT, LOST_AFTER, STOP_GRACE)

# --- The same, of gangs only ---------------------------------------------------------------------------------------------
RECORDS: Final = "BATCHHPC_RECORDS"  # where gangs keep their record, s3://bucket/prefix; a directory in local runs
MIN_NODES: Final = "BATCHHPC_MIN_NODES"  # fewest nodes that a gang runs on
MIN_NODES_AFTER: Final = "BATCHHPC_MIN_NODES_AFTER"  # seconds that a gang waits for all its nodes before it runs on fewer
REFORM_TIMEOUT: Final = "BATCHHPC_REFORM_TIMEOUT"  # seconds that a gang waits for nodes it has lost
TIME_LIMIT: Final = "BATCHHPC_TIME_LIMIT"  # seconds after which AWS Batch ends an attempt: a SIGTERM then is no reclaim

COMPILED_FOR_GANGS: Final = (RECORDS, MIN_NODES, MIN_NODES_AFTER, REFORM_TIMEOUT, TIME_LIMIT)

# --- Set by whoever runs a node where the node cannot find out by itself -------------------------------------------------
NODE_ADDRESS: Final = "BATCHHPC_NODE_ADDRESS"  # this node's own address, where several nodes share one network stack
METADATA_ENDPOINT: Final = "AWS_EC2_METADATA_SERVICE_ENDPOINT"  # the SDKs' variable; default http://169.254.169.254

# --- Given by the agent to the ranks of its node -------------------------------------------------------------------------
AGENT_SOCKET: Final = "BATCHHPC_AGENT_SOCKET"  # path of the agent's Unix socket
MAIN_VARIABLES: Final = "BATCHHPC_MAIN_VARIABLES"  # names of the main node's variables, for mpirun's eyes only
HOSTS: Final = "BATCHHPC_HOSTS"  # with launcher none: all nodes' addresses in node order, with commas
NOTICE_FILE: Final = "BATCHHPC_NOTICE_FILE"  # JSON {"reason": str, "deadline": Unix seconds}; there once SIGUSR1 was sent
GENERATION: Final = "BATCHHPC_GENERATION"  # how often the ranks of this gang have been started, from 1

# --- Fixed -----------------------------------------------------------------------------------------------------------------
PORT: Final = 7700  # the main node listens here; awsvpc gives every node an address of its own (R28)
NODE_COMMAND: Final = ("python3", "-m", "batchhpc.agent", "--")  # what the compiler puts before the user's command

# --- Exit codes. Any other code is the program's own, passed through untouched -------------------------------------------
EXIT_INTERNAL: Final = 70  # the agent is at fault: a bug
EXIT_GAVE_UP: Final = 72  # a gang waited too long for its nodes, and gives those it has back
EXIT_INFRASTRUCTURE: Final = 75  # a node never came or was lost: the one code that AWS Batch is told to retry
EXIT_MISCONFIGURED: Final = 78  # trying again cannot help
EXIT_STOPPED: Final = 143  # ended because of SIGTERM (time limit, terminate), as a shell would say

# --- Log events: one line each, `2026-01-02T03:04:05.123Z node=2 event=child_joined key=value ...` -----------------------
EVENTS: Final = {
    "agent_started": "The agent runs: its node, its role, attempt, ranks.",
    "waiting_for_nodes": "The main node listens; how many nodes it waits for, and until when.",
    "connecting": "A child node looks for the main node.",
    "child_joined": "A child node proved that it knows the secret and is in; how many are still missing.",
    "join_refused": "A connection was turned away; from where, and why.",
    "joined": "This child node is in.",
    "nodes_missing": "The deadline passed and these nodes never joined.",
    "leader_claimed": "Child 0 leads its gang: generation, address, and how many nodes it waits for, until when.",
    "leader_found": "A child of a gang has read where its leader is: generation, address.",
    "leader_lost": "A child of a gang has lost its leader, and looks for it or the next: how.",
    "reforming": "The ranks of a gang are ended, to start again with other nodes: the next generation, and why.",
    "ranks_gone": "No rank of an older generation is left on this node.",
    "overtaken": "Another leader has taken this gang over; this one ends.",
    "recorded": "The end of a gang is written down, before it is announced: state, exit code.",
    "launching": "All nodes that are waited for are here: launcher, ranks, hosts, generation (of a gang); mpirun starts.",
    "ranks_running": "Every rank's program runs.",
    "progress": "A rank tells how far it is: done, total, unit, rate.",
    "checkpoint": "A checkpoint is whole: step, bytes, seconds it took to write.",
    "rank_exited": "A rank ended with a code other than 0, or by a signal.",
    "node_lost": "A node fell silent or its link broke; which, how, after how long.",
    "stop_notice": "The node or job is told to stop: reason, seconds left.",
    "notice_passed": "The notice reached the ranks that listen: how many by SIGUSR1, how many without a handler.",
    "stopping": "Ranks are ended on every node; why.",
    "launcher_exited": "mpirun ended, with which code.",
    "processes_ended": "Processes that outlived their program were ended; how many.",
    "finished": "The agent ends: its exit code, and why.",
}

_EVENT_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z node=\d+ event=")
_PLAIN = re.compile(r'[^\s"=]+')
_FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')


def event_line(now: float, node: int, event: str, **fields: object) -> str:
    """One log event as text, without its line end; values with blanks or quotes are written as JSON strings.

    Args:
        now: Unix seconds.
        node: index of the node that speaks.
        event: one of `EVENTS`.
        fields: what the event tells, in order.
    """
    assert event in EVENTS, event
    time = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    texts = {name: str(value) for name, value in fields.items()}
    shown = (f"{name}={text if _PLAIN.fullmatch(text) else json.dumps(text)}" for name, text in texts.items())
    return " ".join([f"{time}Z node={node} event={event}", *shown])


def parse_event_line(line: str) -> dict[str, str] | None:
    """The fields of an event line, ``node`` and ``event`` among them; None for a line of the program's own."""
    if not _EVENT_LINE.match(line):
        return None
    try:
        return {name: json.loads(text) if text.startswith('"') else text for name, text in _FIELD.findall(line)}
    except ValueError:  # a quoted value that is no JSON string: `event_line` did not write it
        return None


def event_time(line: str) -> float:
    """When an event line was written, in Unix seconds."""
    return datetime.fromisoformat(line.partition(" ")[0]).timestamp()
