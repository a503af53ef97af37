"""Rules that no environment spec can break by itself, only its overlay: `compiler.stack` checks templates for them."""

from __future__ import annotations

from batchhpc.compiler.rules.rule import Rule
from batchhpc.errors import Severity

R34 = Rule("R34", "The VPC resolves names, so that containers get theirs: enableDnsSupport and enableDnsHostnames.")
R48 = Rule("R48", "A queue of multi-node jobs has one compute environment: without capacity there it does not try the next.")
R75 = Rule(
    "R75", "The launch template sets nothing that AWS Batch ignores, and its user data are MIME multi-part.", Severity.WARNING
)
R82 = Rule("R82", "The first network interface has an address, and no two have the same card and device index.", waivable=False)
R84 = Rule("R84", "Nodes with several network interfaces ask for no public address.")
R85 = Rule("R85", "The nodes' security group lets all traffic in from itself and out to itself, by name.")
R136 = Rule("R136", "Network ACLs let the nodes' traffic, and the answers to it, in and out.")
