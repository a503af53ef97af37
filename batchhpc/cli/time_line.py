"""The report of a gang as text: a time line of its nodes, its generations, its checkpoints, what was lost."""

from __future__ import annotations

from batchhpc.cli.wording import counted
from batchhpc.report import Generation, RunReport, Stay

WIDTH = 60  # columns of the time line
MOST_LINES = 24  # nodes, or generations, that are shown one by one
_MARK = {"useful": "█", "lost": "▒", "idle": "·", "": " "}


def report_text(report: RunReport) -> str:
    """All there is to say, for a terminal or a log."""
    spent = report.spent()
    parts = ((spent.useful, "useful"), (spent.lost, "lost"), (spent.idle, "idle"))
    shares = ", ".join(f"{amount:.1f} {name} ({amount / (spent.total or 1.0):.0%})" for amount, name in parts)
    return "\n".join(
        [
            f"  {counted(len(report.generations), 'generation')} in {report.last - report.began:.1f} s; node-seconds: {shares}",
            f"  {counted(report.lost_nodes, 'node')} lost in {spent.total / 3600:.3g} node-hours",
            *_time_line(report),
            *_generations(report),
            *_checkpoints(report),
        ]
    )


def _time_line(report: RunReport) -> list[str]:
    nodes = sorted({stay.node for stay in report.stays})
    width = len(f"node {nodes[-1]}")
    lines = [f"    {f'node {node}':<{width}} |{_bar(report, node)}|" for node in nodes[:MOST_LINES]]
    if len(nodes) > MOST_LINES:
        lines.append(f"    and {len(nodes) - MOST_LINES} more")
    legend = "  ".join(f"{_MARK[kind]} {kind}" for kind in ("useful", "lost", "idle"))
    return [*lines, f"    {'':<{width}}  {legend}"]


def _bar(report: RunReport, node: int) -> str:
    stays = [stay for stay in report.stays if stay.node == node]
    step = (report.last - report.began) / WIDTH
    return "".join(_mark(report, stays, report.began + (i + 0.5) * step) for i in range(WIDTH))


def _mark(report: RunReport, stays: list[Stay], at: float) -> str:
    return _MARK[next((kind for stay in stays if (kind := report.kind_at(stay, at))), "")]


def _generations(report: RunReport) -> list[str]:
    shown = report.generations if len(report.generations) <= MOST_LINES else report.generations[-MOST_LINES:]
    lines = [_generation(report, each) for each in shown]
    left_out = len(report.generations) - len(shown)
    return [*([f"    the first {left_out} generations are left out"] if left_out else []), *lines]


def _generation(report: RunReport, generation: Generation) -> str:
    start, ended = report.began, generation.ended or report.last
    saved = ""
    if not generation.whole:
        last = generation.checkpoints[-1] if generation.checkpoints else None
        begun = generation.running or ended
        saved = (
            f"; step {last.step} was saved {ended - last.at:.1f} s before" if last else f"; {ended - begun:.1f} s were not saved"
        )
    span = f"{generation.launched - start:.1f} s to {ended - start:.1f} s"
    return f"    generation {generation.number} on {_ranges(generation.nodes)}: {span}, {generation.why}{saved}"


def _checkpoints(report: RunReport) -> list[str]:
    seconds = report.checkpoint_seconds
    if seconds is None:
        return ["    no checkpoint"]
    largest = max(each.bytes for each in report.checkpoints)
    size = f"{largest / 1e6:,.1f} MB" if largest >= 100_000 else f"{largest:,} bytes"
    count = counted(len(report.checkpoints), "checkpoint")
    return [f"    {count}, {size} at most, {seconds:.3g} s each to write (median; checkpoint_time of the job spec)"]


def _ranges(numbers: tuple[int, ...]) -> str:
    """``node 0``, ``nodes 0-2, 5``."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    text = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
    return f"node{'' if len(numbers) == 1 else 's'} {text}"
