"""The gang's protocol explored: joining, leaving, crashing and coming back in every order, and in many random ones.

In each state, two generations never run at once, the record only goes forward, one end is recorded at most, and whoever
ends with the gang's result ends with the recorded one (`gang_world`); and from each state the gang comes to an end.
"""

from __future__ import annotations

import random
from collections import deque

import pytest

from tests.unit.agent.gang_world import Move, World

LONGEST = 2_000  # moves in which a world without further faults must come to its end


def finish(world: World, chance: random.Random) -> None:
    """Lets a world go on without faults until it ends: deadlines pass only when nothing else can happen but looking."""
    world.faults = world.failures = 0
    looks = 0
    for _ in range(LONGEST):
        if world.over:
            return
        moves = [move for move in world.moves() if move[0] not in ("checkpoint", "fail")]
        busy = [move for move in moves if move[0] != "timer"]
        if busy:
            looks = 0 if any(move[0] not in ("record", "up", "down") for move in busy) else looks
            world.do(chance.choice(busy))
        elif looks < 8 and moves:
            looks += 1
            world.do(chance.choice(moves))
        else:
            looks = 0
            world.do(chance.choice(world.deadlines()))
    raise AssertionError(f"no end: {[(p.name, p.machine.__dict__) for p in world.processes if p.alive]}")


def walk(seed: int, nodes: int, min_nodes: int, faults: int) -> World:
    """One random history of a world, faults included, to its end."""
    chance = random.Random(seed)  # noqa: S311 - a history that can be asked for again
    world = World(nodes, min_nodes, attempts=3, faults=faults, failures=chance.random() < 0.1, same_address=chance.random() < 0.5)
    for _ in range(chance.randrange(400)):
        moves = world.moves()
        if chance.random() < 0.005:
            moves += world.deadlines()
        if not moves:
            break
        world.do(_likely(moves, chance))
    finish(world, chance)
    return world


def _likely(moves: list[Move], chance: random.Random) -> Move:
    """A move; faults and the program's end are rarer than all that leads to them."""
    weights = {"crash": 0.15, "break": 0.15, "finish": 0.02, "checkpoint": 0.3, "fail": 0.02, "timer": 0.5}
    return chance.choices(moves, [weights.get(move[0], 1.0) for move in moves])[0]


@pytest.mark.parametrize(("nodes", "min_nodes"), [(2, 2), (3, 3), (3, 2), (4, 4), (4, 2)])
def test_random_histories(nodes, min_nodes):
    """Whatever happens to a gang, whenever, it ends; and most gangs succeed although they lose nodes."""
    ends = [walk(seed, nodes, min_nodes, faults=seed % 5) for seed in range(300)]
    succeeded = [world for world in ends if world.record and world.record.code == 0]
    assert len(succeeded) > 150
    assert any(world.record.generation >= 3 for world in succeeded if world.record)


@pytest.mark.parametrize("nodes", [2, 3, 4])
def test_every_history_without_faults(nodes):
    """All interleavings, none left out: each state that can be reached is as it must be, and leads to an end."""
    states, left = explore(World(nodes, nodes, attempts=1, faults=0), most=10_000)
    assert (states > 20, left) == (True, 0)


@pytest.mark.parametrize(
    ("nodes", "min_nodes", "same_address"), [(2, 2, False), (2, 1, True), (3, 3, False), (3, 3, True), (3, 2, False)]
)
def test_the_nearest_histories_with_a_fault(nodes, min_nodes, same_address):
    """One crash, broken link, shutdown or doubled node, at any moment: the states nearest to the start, in all interleavings."""
    world = World(nodes, min_nodes, attempts=2, faults=1, same_address=same_address)
    assert explore(world, most=1_500)[0] >= 1_500


def explore(start: World, most: int) -> tuple[int, int]:
    """Goes through the states that can be reached, the nearest first, each once; gives how many, and how many it left out."""
    chance = random.Random(0)  # noqa: S311 - likewise
    seen, todo = {start.key()}, deque([start])
    while todo and len(seen) < most:
        world = todo.popleft()
        for move in world.moves():
            following = world.copy()
            following.do(move)
            if (key := following.key()) not in seen:
                seen.add(key)
                todo.append(following)
        finish(world, chance)
    return len(seen), len(todo)
