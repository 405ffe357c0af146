"""Self-exciting point processes with an exponential kernel: intensity, likelihood, compensator (models.md 4.6).

    lambda(t) = mu + alpha sum over t_i < t of w_i exp(-beta (t - t_i)),   n = (alpha / beta) E[w]

Times in seconds, ascending, within [0, end]; marks w_i are 1, or (q / mean q)^gamma. Hawkes 1971, Ozaki 1979. Several events
at one time excite each other here, in their order; the sum above would not have them do so.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import types
from numpy.typing import NDArray

from engines.kernel import F64, F64_1, I64, kernel

FIT_MU: Final = 0
FIT_ALPHA: Final = 1
FIT_BETA: Final = 2
FIT_BRANCHING: Final = 3
FIT_LOG_LIKELIHOOD: Final = 4
FIT_COLUMNS: Final = 5

MIN_FITTED: Final = 20  # fewer events say nothing of three parameters
_NEWTON: Final = 25
TRIPLE: Final = types.UniTuple(F64, 3)  # type: ignore[no-untyped-call]
_SECTIONS: Final = 22  # of ln beta: the interval shrinks to 1 / 40,000 of itself
_GOLDEN: Final = 0.6180339887498949


def branching(alpha: float, beta: float, mean_mark: float = 1.0) -> float:
    """n: events one event leads to directly; NaN without a decay."""
    return alpha / beta * mean_mark if beta > 0.0 else math.nan


def amplification(n: float) -> float:
    """All events over those from outside, 1 / (1 - n); inf at 1 and above."""
    return 1.0 / (1.0 - n) if n < 1.0 else math.inf


@kernel(F64(F64, F64, F64))
def decayed(excitement: float, seconds: float, beta: float) -> float:
    """A after `seconds` without an event; lambda = mu + alpha A, and an event adds its mark to A. Time does not run backwards."""
    return excitement * math.exp(-beta * max(seconds, 0.0))


@kernel(I64(F64_1, F64_1, F64, F64, F64, F64, F64_1))
def intensities(
    times: NDArray[np.float64],
    marks: NDArray[np.float64],
    mu: float,
    alpha: float,
    beta: float,
    end: float,
    found: NDArray[np.float64],
) -> int:
    """lambda just before each event and at `end`, into float64[events + 1]; returns their number."""
    a, last = 0.0, 0.0
    for i in range(times.shape[0]):
        a = decayed(a, times[i] - last, beta)
        found[i] = mu + alpha * a
        a += marks[i]
        last = times[i]
    found[times.shape[0]] = mu + alpha * decayed(a, end - last, beta)
    return len(times) + 1


@kernel(F64(F64_1, F64_1, F64, F64, F64, F64))
def compensator(
    times: NDArray[np.float64], marks: NDArray[np.float64], mu: float, alpha: float, beta: float, end: float
) -> float:
    """The integral of lambda over [0, end]: the number of events the model expects."""
    total = 0.0
    for i in range(times.shape[0]):
        total -= marks[i] * math.expm1(-beta * (end - times[i]))
    return mu * end + alpha / beta * total


@kernel(F64(F64_1, F64_1, F64, F64, F64, F64))
def log_likelihood(
    times: NDArray[np.float64], marks: NDArray[np.float64], mu: float, alpha: float, beta: float, end: float
) -> float:
    """Sum of ln lambda at the events less the compensator; -inf where an event was impossible."""
    a, last, total = 0.0, 0.0, 0.0
    for i in range(times.shape[0]):
        a = decayed(a, times[i] - last, beta)
        rate = mu + alpha * a
        if not rate > 0.0:
            return -math.inf
        total += math.log(rate)
        a += marks[i]
        last = times[i]
    return total - compensator(times, marks, mu, alpha, beta, end)


@kernel(TRIPLE(F64_1, F64_1, F64, F64, F64_1))
def fit_given_beta(
    times: NDArray[np.float64], marks: NDArray[np.float64], beta: float, end: float, scratch: NDArray[np.float64]
) -> tuple[float, float, float]:
    """(mu, alpha, log likelihood) at its maximum for one beta; `scratch` float64[events].

    There the model expects as many events as there are, so one number is left: the share p of them that is excited. Along p every
    lambda is a straight line and the likelihood concave: the zero of its slope is found by Newton's steps within bounds.
    """
    n = len(times)
    a, last, reach = 0.0, 0.0, 0.0
    for i in range(n):
        a = decayed(a, times[i] - last, beta)
        scratch[i] = a
        a += marks[i]
        last = times[i]
        reach -= marks[i] * math.expm1(-beta * (end - times[i])) / beta
    alone = n / end
    if not reach > 0.0:
        return alone, 0.0, n * math.log(alone) - n
    low, high, p = 0.0, 1.0, 0.0
    for _ in range(_NEWTON):
        slope = curvature = 0.0
        for i in range(n):
            excited = n * scratch[i] / reach
            turn = (excited - alone) / (alone + p * (excited - alone))
            slope += turn
            curvature += turn * turn
        if p == 0.0 and slope <= 0.0:  # no excitation is best
            break
        if slope > 0.0:
            low = p
        else:
            high = p
        step = slope / curvature if curvature > 0.0 else 0.0
        if abs(step) <= 1e-10:
            break
        p += step
        if not low < p < high:
            p = 0.5 * (low + high)
    mu, alpha, value = (1.0 - p) * alone, p * n / reach, -float(n)
    for i in range(n):
        value += math.log(mu + alpha * scratch[i])
    return mu, alpha, value


@kernel(I64(F64_1, F64_1, F64, F64, F64, F64_1, F64_1))
def fit(
    times: NDArray[np.float64],
    marks: NDArray[np.float64],
    end: float,
    least_beta: float,
    most_beta: float,
    scratch: NDArray[np.float64],
    found: NDArray[np.float64],
) -> int:
    """Maximum likelihood over mu, alpha and beta in [least_beta, most_beta] (golden section over ln beta) into float64[FIT_COLUMNS].

    At most 24 x 27 passes over the events. Returns the number of events; 0, and NaN, where there are fewer than MIN_FITTED.
    """
    found[:FIT_COLUMNS] = math.nan
    n = len(times)
    if n < MIN_FITTED or not (0.0 < end < math.inf and 0.0 < least_beta < most_beta < math.inf):
        return 0
    weight = 0.0
    for i in range(n):
        weight += marks[i]
        if not (marks[i] >= 0.0 and times[i] <= end and (times[i] >= times[i - 1] if i > 0 else times[i] >= 0.0)):
            return 0
    mean_mark = weight / n
    if not 0.0 < mean_mark < math.inf:
        return 0
    low, high = math.log(least_beta), math.log(most_beta)
    inner, outer = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_inner = at_outer = -math.inf
    found[FIT_LOG_LIKELIHOOD] = -math.inf
    for step in range(_SECTIONS + 2):
        ask_inner = step == 0 or (step > 1 and at_inner == -math.inf)
        where = inner if ask_inner else outer
        beta = math.exp(where)
        mu, alpha, value = fit_given_beta(times, marks, beta, end, scratch)
        if value > found[FIT_LOG_LIKELIHOOD]:
            found[FIT_MU], found[FIT_ALPHA], found[FIT_BETA] = mu, alpha, beta
            found[FIT_BRANCHING] = alpha / beta * mean_mark
            found[FIT_LOG_LIKELIHOOD] = value
        if ask_inner:
            at_inner = value
        else:
            at_outer = value
        if step == 0:
            continue
        if at_inner >= at_outer:
            high, outer, at_outer = outer, inner, at_inner
            inner, at_inner = high - _GOLDEN * (high - low), -math.inf
        else:
            low, inner, at_inner = inner, outer, at_outer
            outer, at_outer = low + _GOLDEN * (high - low), -math.inf
    return n
