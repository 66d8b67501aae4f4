# SPDX-License-Identifier: Apache-2.0
"""What a benchmark says: figures, each a value beside a peer's or a bound, with the target for their ratio."""
import dataclasses
import statistics


class BenchError(Exception):
    """The run is worth nothing: a wrong answer, a missing program, a core that somebody else uses."""


@dataclasses.dataclass(frozen=True)
class Figure:
    """`ratio` says how many times better than the peer this is, whatever the unit: over 1 is better. Where the target is a
    bound (2 s, 4 GiB), the bound is the peer and 1 the target."""
    name: str
    value: float
    unit: str
    peer: str
    peer_value: float
    ratio: float
    target: float | None  # None: context, nothing to reach
    ok: bool | None
    spread: float  # of the ratio between rounds: (max - min) / median
    command: str

    def __str__(self):
        verdict = "no target" if self.target is None else \
            f"target {self.target:g}: {'reached' if self.ok else 'NOT reached'}"
        return (f"  {self.name:28} {amount(self.value)} {self.unit}, {self.peer} {amount(self.peer_value)}: "
                f"ratio {self.ratio:.2f} ({verdict}), spread {self.spread:.0%}")


def amount(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def spread(values):
    middle = statistics.median(values)
    return (max(values) - min(values)) / abs(middle) if middle else 0.0


def compare(name, unit, own, peer, others, target=None, *, less=False, command=""):
    """One figure of the rounds of both sides, which belong together pairwise. `less`: less is better."""
    if not own or len(own) != len(others):
        raise BenchError(f"{name}: {len(own)} rounds against {len(others)} of {peer}")
    if min(own) <= 0 or min(others) <= 0:
        raise BenchError(f"{name}: a value of nothing is no result: {own} against {others} of {peer}")
    ratios = [b / a if less else a / b for a, b in zip(own, others)]
    ratio = statistics.median(ratios)
    return Figure(name, statistics.median(own), unit, peer, statistics.median(others), ratio, target,
                  None if target is None else ratio >= target, spread(ratios), command)


def bound(name, unit, own, limit, *, command=""):
    """A value that must stay below a limit."""
    return compare(name, unit, own, "limit", [limit] * len(own), 1.0, less=True, command=command)
