"""What any regression says of variants."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

MOST_CORRELATION, MOST_INFLATION = 0.999, 50.0  # plink2's limits for a variant and covariates


class Code(IntEnum):
    """Why a variant has no estimate, or a doubtful one."""

    OK = 0
    TOO_FEW = 1
    CONSTANT = 2
    TOO_CORRELATED = 3
    INFLATED = 4
    DEFICIENT = 5
    UNFINISHED = 6
    NOT_CONVERGED = 7
    FIRTH_NOT_CONVERGED = 8
    INVALID = 9


AS_PLINK = {
    Code.OK: ".",
    Code.TOO_FEW: "SAMPLE_CT<=PREDICTOR_CT",
    Code.CONSTANT: "CONST_OMITTED_ALLELE",
    Code.TOO_CORRELATED: "CORR_TOO_HIGH",
    Code.INFLATED: "VIF_TOO_HIGH",
    Code.DEFICIENT: "VIF_INFINITE",
    Code.UNFINISHED: "UNFINISHED",
    Code.NOT_CONVERGED: "LOGISTIC_CONVERGE_FAIL",
    Code.FIRTH_NOT_CONVERGED: "FIRTH_CONVERGE_FAIL",
    Code.INVALID: "INVALID_RESULT",
}


class Estimates(NamedTuple):
    """One trait and some variants: (variants,) each; nan where there is no estimate.

    Attributes:
        people: with the trait, the covariates and a genotype.
        beta: effect of one more A1 allele; of a case/control trait the logarithm of the odds ratio.
        se: its standard error.
        code: of `Code`.
        firth: whether the likelihood was penalized; never in linear regression.
    """

    people: npt.NDArray[np.int64]
    beta: npt.NDArray[np.float64]
    se: npt.NDArray[np.float64]
    code: npt.NDArray[np.int64]
    firth: npt.NDArray[np.bool_]
