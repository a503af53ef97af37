"""Order statistics and quantiles of values that are spread over ranks: exact, and only a few values are sent.

Floats are ordered as their bits are, once those of negative ones are turned over. So all ranks count how many values begin with
each 12 bits, add up their counts, and know with which bits the wanted one begins; so on with the next bits, of the values that
begin so. Once only a few thousand of all ranks begin like those that are wanted, every rank is sent these, and sorts them. A
message has 32 KiB: the more beginnings there are, the fewer further bits are counted. Ten of a million values take two messages
of counts, ten of a billion four. Neither counts nor sorted values depend on how values are dealt out, so the results are the same
on any number of ranks. A rank needs memory for a second copy of its values at worst, if all begin alike.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from batchhpc.rank.communicator import Communicator
from batchhpc.rank.limbs import Floats, Integers
from batchhpc.rank.sums import as_floats, summed

Keys = NDArray[np.uint64]
Method = Literal["linear", "lower", "higher", "inverted_cdf"]

_FIRST: Final = 12  # bits of the first round: sign and exponent
_LEAST: Final = 4  # bits of a later one, and twelve if there is one beginning only
_COUNTS: Final = 1 << _FIRST  # in one message
_FEW: Final = 8192  # values, of all ranks, that every rank is sent
_PART: Final = 1 << 16  # values whose keys are made at a time
_BITS: Final = 64
_SIGN: Final = np.uint64(1 << 63)
_ALL: Final = np.uint64((1 << 64) - 1)
_HEADS: Final = np.concatenate([np.arange(0xFFF, 0x7FF, -1), np.arange(0x800)])  # signs and exponents, in the order of values
_NO_NUMBER: Final = [0x7FF, 0xFFF]  # sign and exponent of infinities and NaN


def order_statistics(values: ArrayLike, ks: ArrayLike, comm: Communicator | None = None) -> Any:
    """The k-th smallest of all ranks' values, for each k; collective over ``comm``.

    Equal values count as often as they are there, -0.0 is 0.0, infinities are values like others.

    Args:
        values: this rank's, of any shape, float64 or float32; ranks may have different numbers, or none.
        ks: the same on all ranks: 0 is the smallest, -1 the largest.
        comm: the ranks; None if this program is the only one.

    Returns:
        Of the shape of ``ks``, of the dtype of ``values``; the same bits on all ranks.

    Raises:
        ValueError: there is a NaN, or are not so many values; on all ranks.
    """
    numbers, wanted = _Values(values, comm), np.asarray(ks, np.int64)
    found = numbers.find(numbers.places(wanted.ravel()))
    return found.astype(numbers.dtype).reshape(wanted.shape)[()]


def exact_quantile(values: ArrayLike, q: ArrayLike, comm: Communicator | None = None, *, method: Method = "linear") -> Any:
    """Quantiles of all ranks' values: what ``numpy.quantile`` gives for all of them in one array; collective over ``comm``.

    Args:
        values: see `order_statistics`.
        q: the same on all ranks, from 0 to 1.
        comm: the ranks; None if this program is the only one.
        method: as numpy's: ``linear`` between two values, the ``lower`` or ``higher`` of them, or ``inverted_cdf``, the first
            value that at least a share ``q`` of the values does not exceed.

    Returns:
        Of the shape of ``q``, of the dtype of ``values``; the same bits on all ranks.

    Raises:
        ValueError: ``q`` or ``method`` is none, there is a NaN, or there are no values; on all ranks.
    """
    shares = np.asarray(q, np.float64)
    if not ((shares >= 0) & (shares <= 1)).all():
        raise ValueError(f"quantiles are from 0 to 1, but q is {shares.tolist()}")
    if method not in ("linear", "lower", "higher", "inverted_cdf"):
        raise ValueError(f"method is linear, lower, higher or inverted_cdf, not {method!r}")
    numbers, flat = _Values(values, comm), shares.ravel()
    numbers.places(np.zeros(1, np.int64))
    if method == "inverted_cdf":
        below = above = np.maximum(np.ceil(numbers.count * flat) - 1, 0).astype(np.int64)
        between = np.zeros(len(flat))
    else:
        exact = (numbers.count - 1) * flat
        below, above = np.floor(exact).astype(np.int64), np.ceil(exact).astype(np.int64)
        between = {"linear": exact - below, "lower": np.zeros(len(flat)), "higher": np.ones(len(flat))}[method]
    found = numbers.find(np.concatenate([below, above]))
    result = _between(found[: len(flat)], found[len(flat) :], between)
    return result.astype(numbers.dtype).reshape(shares.shape)[()]


class _Values:
    """All ranks' values.

    Attributes:
        count: how many they are.
        dtype: of this rank's.
    """

    def __init__(self, values: ArrayLike, comm: Communicator | None) -> None:
        array = as_floats(values)
        self.dtype, self._comm, flat = array.dtype, comm, array.reshape(-1)
        self._parts = [flat[at : at + _PART] for at in range(0, len(flat), _PART)]
        heads, nans = np.zeros(1 << _FIRST, np.int64), 0
        for part in self._parts:
            counts = np.bincount(_heads(part), minlength=len(heads))
            if counts[_NO_NUMBER].any():
                nans += int(np.count_nonzero(np.isnan(part)))
            heads += counts
        told = summed(np.append(heads[_HEADS], nans), comm)
        if told[-1]:
            raise ValueError(f"{told[-1]} of {told[:-1].sum()} values are NaN, which has no place in an order")
        self._first = told[:-1]
        self.count = int(self._first.sum())

    def places(self, ks: Integers) -> Integers:
        """The same from 0 on; raises ValueError for what is not there."""
        wrong = ks[(ks < -self.count) | (ks >= self.count)]
        if len(wrong):
            raise ValueError(f"there are {self.count} values, so none has the place {', '.join(map(str, wrong.tolist()))}")
        return np.where(ks < 0, ks + self.count, ks)

    def find(self, places: Integers) -> Floats:
        """The values at these places, from 0 on, in the order of all."""
        if not len(places):
            return np.empty(0)
        distinct, back = np.unique(places, return_inverse=True)
        prefixes, left, alike = _descend(self._first[None], np.zeros(len(distinct), np.intp), distinct)
        known, candidates = _FIRST, self._with(prefixes)
        while known < _BITS:
            groups, first, group = np.unique(prefixes, return_index=True, return_inverse=True)
            if int(alike[first].sum()) <= _FEW:
                return _floats(self._sent(candidates, prefixes, known, left))[back]
            digits = min(_BITS - known, max(_LEAST, _FIRST - (len(groups) - 1).bit_length()))
            digit, left, alike = _descend(self._histograms(candidates, groups, known, digits), group, left)
            prefixes = prefixes << np.uint64(digits) | digit
            known += digits
            candidates = candidates[_is_in(candidates >> np.uint64(_BITS - known), prefixes)]
        return _floats(prefixes)[back]

    def _sent(self, candidates: Keys, prefixes: Keys, known: int, left: Integers) -> Keys:
        """The keys at these places among those that begin so, of which every rank is sent all."""
        everyone = [candidates] if self._comm is None else self._comm.allgather(candidates)
        ordered = np.sort(np.concatenate(everyone))
        starts = np.searchsorted(ordered >> np.uint64(_BITS - known), prefixes)
        keys: Keys = ordered[starts + left]
        return keys

    def _with(self, prefixes: Keys) -> Keys:
        """Keys of this rank's values that begin with one of these, the first digits only."""
        wanted = np.zeros(len(_HEADS), np.bool_)
        wanted[_HEADS[prefixes]] = True
        found = [np.empty(0, np.uint64)]
        found += [_keys(part[wanted[_heads(part)]]) for part in self._parts]
        return np.concatenate(found)

    def _histograms(self, candidates: Keys, groups: Keys, known: int, digits: int) -> Integers:
        """How many values of all ranks go on with which digits, for each beginning."""
        number = np.searchsorted(groups, candidates >> np.uint64(_BITS - known)).astype(np.uint64)
        digit = candidates >> np.uint64(_BITS - known - digits) & np.uint64((1 << digits) - 1)
        counts = np.bincount((number << np.uint64(digits) | digit).astype(np.intp), minlength=len(groups) << digits)
        counts = counts.astype(np.int64, copy=False).reshape(len(groups), 1 << digits)
        together = _COUNTS >> digits
        return np.concatenate([summed(counts[at : at + together], self._comm) for at in range(0, len(groups), together)])


def _descend(counts: Integers, group: NDArray[np.intp], places: Integers) -> tuple[Keys, Integers, Integers]:
    """Which digits the values at these places of their groups go on with, their places among those that do, and how many do."""
    digits, left, alike = np.empty(len(places), np.uint64), np.empty(len(places), np.int64), np.empty(len(places), np.int64)
    for number, row in enumerate(counts.cumsum(axis=1)):
        mine = group == number
        digit = np.searchsorted(row, places[mine], side="right")
        digits[mine], left[mine] = digit, places[mine] - np.concatenate([[0], row])[digit]
        alike[mine] = counts[number][digit]
    return digits, left, alike


def _heads(part: NDArray[Any]) -> NDArray[np.intp]:
    """Sign and exponent, as they are stored."""
    bits = (part.astype(np.float64, copy=False) + 0.0).view(np.uint64)
    return (bits >> np.uint64(_BITS - _FIRST)).view(np.intp)


def _is_in(beginnings: Keys, prefixes: Keys) -> NDArray[np.bool_]:
    groups = np.unique(prefixes)
    nearest = groups[np.minimum(np.searchsorted(groups, beginnings), len(groups) - 1)]
    return np.equal(nearest, beginnings)


def _keys(part: NDArray[Any]) -> Keys:
    """Whole numbers in the order of the values; 0.0 and -0.0 have the same."""
    bits = (part.astype(np.float64, copy=False) + 0.0).view(np.uint64)
    return bits ^ np.where(bits & _SIGN, _ALL, _SIGN)


def _floats(keys: Keys) -> Floats:
    return (keys ^ np.where(keys & _SIGN, _SIGN, _ALL)).view(np.float64)


def _between(low: Floats, high: Floats, share: Floats) -> Floats:
    """As numpy does it: from the nearer end."""
    with np.errstate(invalid="ignore"):  # where both are infinite
        step = high - low
        result = np.where(share < 0.5, low + step * share, high - step * (1 - share))
    return np.where((low == high) | (share == 0), low, np.where(share == 1, high, result))
