#!/bin/sh
# The image's entry point is the agent. A job's command replaces CMD, never ENTRYPOINT. What the compiler writes names the
# agent already, since it must run in images without this entry point, too; any other command is handed to the agent.
set -eu
case "$*" in
    "python3 -m batchhpc.agent" | "python3 -m batchhpc.agent "*) exec "$@" ;;
    *) exec python3 -m batchhpc.agent -- "$@" ;;
esac
