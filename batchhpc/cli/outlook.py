"""What ``batchhpc check`` says of a job on Spot: interruptions, checkpoints, the time it is expected to take, and its price."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from batchhpc.compiler.interruptions import Expected, daly, expected, mean_between, overhead, young
from batchhpc.errors import InvalidSpec, Problem
from batchhpc.spec import Duration, Environment, JobSpec, Rate

if TYPE_CHECKING:
    from batchhpc.aws.prices.job_costs import Estimate

_GUIDE: Final = "docs/how-to/spot.md"


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of a job's interruptions; times are seconds.

    Attributes:
        rate: interruptions of one node in an hour, as the environment states it.
        checkpoint: what writing one takes, as the job spec states it.
        interval: computing between two checkpoints that the job spec states.
        work: computing in all.
        time_limit: the longest that a node may run.
        replacement: from losing a node until the ranks compute again; assumed.
        prices: None if nobody asked for them.
    """

    nodes: int
    rate: Rate | None
    checkpoint: float | None
    interval: float | None
    work: float | None
    time_limit: float
    replacement: float
    prices: Estimate | None

    @property
    def mean(self) -> float | None:
        """Between two interruptions of the job."""
        return None if self.rate is None else mean_between(self.nodes, self.rate)

    @property
    def best(self) -> float | None:
        """Daly's optimum of computing between two checkpoints."""
        return None if self.mean is None or self.checkpoint is None else daly(self.checkpoint, self.mean)

    @property
    def overheads(self) -> dict[float, Expected]:
        """What an interval of computing comes to, for the job's own and the best."""
        if self.mean is None or self.checkpoint is None:
            return {}
        chosen = [each for each in (self.interval, self.best) if each is not None]
        return {each: overhead(each, self.checkpoint, self.mean, self.replacement) for each in chosen}

    @property
    def whole(self) -> Expected | None:
        """What all the job's computing comes to, with checkpoints at its own interval, or the best."""
        interval = self.interval or self.best
        if self.work is None or self.mean is None or self.checkpoint is None or interval is None:
            return None
        return expected(self.work, interval, self.checkpoint, self.mean, self.replacement)

    @property
    def without(self) -> Expected | None:
        """The same if it writes no checkpoint, so that each interruption throws it back to its beginning."""
        if self.work is None or self.mean is None:
            return None
        return expected(self.work, self.work, 0.0, self.mean, self.replacement)

    def cost(self, *, on_spot: bool) -> tuple[float | None, Decimal | None]:
        """Node-hours and US dollars, None where they are not known: on demand nothing interrupts, and no checkpoint is needed."""
        seconds = self.work if not on_spot else self.whole.wall if self.whole else None
        if seconds is None or not math.isfinite(seconds):
            return None, None
        hours, known = self.nodes * seconds / 3600, self.prices
        price = None if known is None else known.spot if on_spot else known.on_demand
        if known is None or price is None or known.volumes is None:
            return hours, None
        return hours, (price + known.volumes) * Decimal(str(hours))

    @property
    def missing(self) -> list[str]:
        """What must be stated before more can be reckoned."""
        stated = {"interruption_rate": self.rate, "checkpoint_time": self.checkpoint, "--work": self.work}
        return [name for name, value in stated.items() if value is None]

    def to_data(self) -> dict[str, Any]:
        """For JSON; infinite times are null, amounts text."""
        compared = {"on_demand": self.cost(on_spot=False), "spot": self.cost(on_spot=True)}
        return {
            "rate_per_hour": None if self.rate is None else float(self.rate),
            "mean_seconds": self.mean,
            "checkpoint_seconds": self.checkpoint,
            "interval_seconds": self.interval,
            "young_seconds": young(self.checkpoint, self.mean) if self.mean and self.checkpoint else None,
            "daly_seconds": self.best,
            "work_seconds": self.work,
            "replacement_seconds": self.replacement,
            "overheads": [{"interval_seconds": interval, **_finite(each)} for interval, each in self.overheads.items()],
            "expected": self.whole and _finite(self.whole),
            "without_checkpoints": self.without and _finite(self.without),
            "compared": {
                name: {"node_hours": hours, "usd": None if usd is None else f"{usd:.4f}"} for name, (hours, usd) in compared.items()
            },
            "missing": self.missing,
        }

    def rows(self) -> Iterator[tuple[str, str]]:
        """For people: what it is about, and what is reckoned or must be stated."""
        if self.rate is None or self.mean is None:
            text = f"how often is not stated, so nothing is reckoned: interruption_rate in the environment ({_GUIDE})"
            yield "interruptions", text
            return
        apart = "of one node" if self.nodes == 1 else f"of {self.nodes} nodes, each at {self.rate}, independent of each other"
        yield "interruptions", f"one every {_time(self.mean)} on average, {apart}"
        if self.checkpoint is None or self.best is None:
            text = "checkpoint_time is not stated: batchhpc run tells at its end how long one takes"
            yield "checkpoints", text
        else:
            optima = f"best every {_time(self.best)} of computing (Daly; Young: {_time(young(self.checkpoint, self.mean))})"
            own = f"; the job writes one every {_time(self.interval)}" if self.interval else ""
            yield "checkpoints", f"{_time(self.checkpoint)} each, {optima}{own}"
        for i, (interval, each) in enumerate(self.overheads.items()):
            yield ("" if i else "overhead"), f"{_overhead(each)}, with a checkpoint every {_time(interval)}"
        yield from self._whole_rows()
        waits = "computing waits for checkpoints; nodes are taken back independently of each other"
        yield (
            "assumed",
            f"{_time(self.replacement)} from losing a node until ranks compute again (--replacement); {waits} ({_GUIDE})",
        )

    def _whole_rows(self) -> Iterator[tuple[str, str]]:
        if self.work is None or self.without is None:
            yield "expected", "--work says how long the job computes if nothing interrupts it"
            return
        never = "without checkpoints: " + _time(self.without.wall)
        if self.whole is None:
            yield "expected", f"{never} for {_time(self.work)} of computing"
            return
        late = f", but time_limit is {_time(self.time_limit)}" if self.whole.wall > self.time_limit else ""
        parts = f"{self.whole.interruptions:.1f} interruptions, {_time(self.whole.lost)} computed again"
        yield "expected", f"{_time(self.whole.wall)} for {_time(self.work)} of computing{late}: {parts}; {never}"
        for i, (where, on_spot) in enumerate((("on demand", False), ("on Spot", True))):
            hours, usd = self.cost(on_spot=on_spot)
            shown = "without end" if hours is None else f"{hours:,.1f} node-hours, {self._price(usd)}"
            yield ("" if i else "compared"), f"{where} {shown}"

    def _price(self, usd: Decimal | None) -> str:
        if usd is not None:
            return f"${usd:,.2f}"
        if self.prices is None:
            return "price unknown (--price asks AWS)"
        return f"price unknown: {self.prices.unknown.partition(chr(10))[0] or 'not listed'}"


def outlook(spec: JobSpec, environment: Environment, nodes: int, args: argparse.Namespace, prices: Estimate | None) -> Outlook:
    """What is known of a job's interruptions.

    Args:
        spec: the job.
        environment: where it runs.
        nodes: of the compiled job.
        args: with ``work`` and ``replacement``.
        prices: what a node costs, if AWS was asked.

    Raises:
        InvalidSpec: an option is no length of time.
    """
    return Outlook(
        nodes=nodes,
        rate=environment.interruption_rate,
        checkpoint=_seconds(spec.checkpoint_time),
        interval=_seconds(spec.checkpoint_interval),
        work=_option("--work", args.work) if args.work is not None else None,
        time_limit=float(spec.time_limit.seconds),
        replacement=_option("--replacement", args.replacement),
        prices=prices,
    )


def _seconds(length: Duration | None) -> float | None:
    return None if length is None else float(length.seconds)


def _option(name: str, text: str) -> float:
    try:
        length = Duration.parse(text)
    except ValueError as error:
        raise InvalidSpec([Problem(name, str(error))], "batchhpc check") from error
    if not length:
        raise InvalidSpec([Problem(name, "must be more than 0s")], "batchhpc check")
    return float(length.seconds)


def _finite(what: Expected) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in (asdict(what) | {"wall": what.wall}).items()}


def _overhead(each: Expected) -> str:
    if not math.isfinite(each.wall):
        return "no end"
    writing, again, waiting = (100 * part / each.work for part in (each.checkpoints, each.lost, each.reforming))
    return f"{writing + again + waiting:.1f} %: {writing:.1f} % writing, {again:.1f} % computed again, {waiting:.1f} % waiting"


def _time(seconds: float) -> str:
    """As a spec has it, with no more digits than one reads: seconds below 10 minutes, else minutes."""
    if not math.isfinite(seconds):
        return "no end"
    unit = 1 if seconds < 600 else 60
    return str(Duration(round(seconds / unit) * unit * 1000)) if seconds >= 1 else f"{seconds:.2g}s"
