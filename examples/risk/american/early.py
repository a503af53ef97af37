"""Which options are never worth exercising before the last date.

Merton ("Theory of rational option pricing", Bell Journal of Economics 4, 1973): a call on an asset without dividends. The reason
holds for more. With q <= 0, exp(-r t) S(t) is a submartingale: it is expected to rise, or to stay. With r >= 0, so is -exp(-r t) K,
therefore exp(-r t) (S(t) - K), therefore its maximum with 0 and with those of other assets, and sums with weights above 0. A
submartingale is best stopped last. For puts all signs change: r <= 0 and all q >= 0. Volatilities play no part, so it holds under
Heston's model too.
"""

from __future__ import annotations

import numpy as np

from examples.risk.american.contract import Contract
from examples.risk.american.model import Gbm, Model


def may_pay_early(contract: Contract, model: Model) -> bool:
    """Whether exercise before the last date may be worth more than going on; if not, the option is worth the European one."""
    yields = model.dividends if isinstance(model, Gbm) else np.array([model.dividend])
    way = 1 if contract.payoff.endswith("call") else -1
    return way * model.rate < 0 or bool(np.any(way * yields > 0)) or any(weight < 0 for weight in contract.weights)
