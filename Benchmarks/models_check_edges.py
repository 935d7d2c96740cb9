"""The section `edges` of models_check.py: every measure and objective on panels that break textbook formulas."""
import math

import numpy as np

MEASURES = ["MV", "KT", "MAD", "GMD", "MSV", "SKT", "FLPM", "SLPM", "CVaR", "TG", "EVaR", "RLVaR", "WR", "RG", "CVRG", "TGRG", "EVRG", "RVRG", "MDD", "ADD",
            "CDaR", "EDaR", "RLDaR", "UCI", "EM", "ESM"]


def panels():
    """Name and T x N returns."""
    wave = np.array([((t * 13) % 17 - 8) / 800 + 0.001 for t in range(40)])
    other = np.array([((t * 5) % 11 - 5) / 400 + 0.001 for t in range(40)])
    constant = lambda level: np.full(40, level)
    normal = lambda seed, count, n: np.random.default_rng(seed).normal(0.0005, 0.01, (count, n))
    yield "one asset", wave[:, None]
    yield "two assets", np.column_stack([wave, other])
    yield "constant", np.column_stack([constant(0.001), constant(0.002)])
    yield "one constant", np.column_stack([wave, constant(0.0003), other])
    yield "a losing constant", np.column_stack([wave, constant(-0.0003), other])
    yield "perfectly correlated", np.column_stack([wave, 2 * wave + 0.001, wave, other, other, wave])
    yield "perfectly opposed", np.column_stack([wave, 0.001 - wave])
    yield "nearly singular", np.column_stack([wave, wave + 1e-11 * normal(1, 40, 1)[:, 0], other, other * (1 + 1e-12)])
    yield "T < n", normal(2, 12, 30)
    yield "T = n", normal(3, 12, 12)
    yield "T = n + 1", normal(4, 13, 12)
    yield "two periods", normal(5, 2, 3)
    yield "tiny", 1e-10 * normal(6, 60, 6)
    yield "all losing", -np.abs(normal(7, 50, 4)) - 1e-4
    yield "all winning", np.abs(normal(8, 50, 4)) + 1e-4


def edges(check, problems):
    """`problems` plays no part. A right answer passes verification; a ratio without a maximum is OPT-203."""
    for name, returns in panels():
        returns = np.ascontiguousarray(returns)
        path = check.folder / f"{name.replace(' ', '')}.f64"
        returns.astype("<f8").tofile(path)
        for measure in MEASURES:
            for objective in ("MinRisk", "Utility", "Sharpe", "MaxRet"):
                answer = check.bench.optimize(path, returns, {"risk_measure": measure, "objective": objective, "risk_aversion": 2})
                label = f"{name}, {measure} {objective}"
                check.count += 1
                problem = answer.get("problem")
                if problem is None:
                    numbers = answer["weights"] + [answer["objective_value"], answer["risk"], answer["expected_return"], answer["gap"]]
                    if not all(math.isfinite(x) for x in numbers):
                        check.refuse(label, {"problem": {"code": "NaN"}})
                elif problem["code"] != "OPT-203" or objective != "Sharpe":
                    check.refuse(label, answer)
