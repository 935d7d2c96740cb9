"""Mean-variance: the same problem by an HTTP request to Ballast and by Riskfolio-Lib, alternating."""
import time
import warnings

import numpy as np
import pandas as pd
import riskfolio

from stack import median_ms

SAMPLES = "AAPL AMD BAC BBY CVX GE HD JNJ JPM KO LLY MRK MSFT PEP PFE PG RRC UNH WMT XOM".split()
OBJECTIVES = ("MinRisk", "Utility", "Sharpe", "MaxRet")
RISK_AVERSION = 2


def value(objective, weights, returns, rate):
    """The objective per period, to be maximised."""
    mean, deviation = returns.mean(axis=0) @ weights, np.sqrt(weights @ np.cov(returns, rowvar=False) @ weights)
    return {"MinRisk": -deviation, "Utility": mean - RISK_AVERSION * deviation**2, "Sharpe": (mean - rate) / deviation, "MaxRet": mean}[objective]


def by_riskfolio(objective, frame, upper, rate):
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        portfolio = riskfolio.Portfolio(returns=frame, upperlng=upper)
        portfolio.assets_stats(method_mu="hist", method_cov="hist")
        weights = portfolio.optimization(model="Classic", rm="MV", obj=objective, rf=rate, l=RISK_AVERSION, hist=True)
    elapsed = 1000 * (time.perf_counter() - start)
    return weights["weights"].to_numpy(), elapsed


def against_riskfolio(stack, n, repeats):
    names = SAMPLES if n == len(SAMPLES) else stack.names[:n]
    upper = 0.3 if n == len(SAMPLES) else 0.05
    dates = [row[0] for row in stack.database.execute(
        "select timestamp from market_data where asset_symbol = %s and source in ('csv', 'sql') order by timestamp desc limit 1001", [names[0]])]
    start, end = min(dates), max(dates)
    returns = stack.returns(names, start, end)
    frame = pd.DataFrame(returns, columns=names)
    for objective in OBJECTIVES:
        whole, solve, peer, difference = [], [], [], []
        for repeat in range(repeats + 1):
            annual = 0.01 + repeat * 1e-6
            answer, elapsed = stack.optimize({
                "assets": names, "start_date": f"{start:%Y-%m-%d}", "end_date": f"{end:%Y-%m-%d}", "model": "Classic", "risk_measure": "MV",
                "objective": objective, "risk_free_rate": annual, "risk_aversion": RISK_AVERSION + (repeat * 1e-9 if objective == "Utility" else 0),
                "constraints": {"lower_bound": 0, "upper_bound": upper}, "store": False})
            weights, theirs = by_riskfolio(objective, frame, upper, annual / 252)
            if repeat == 0 and repeats > 1:
                continue  # warms both up
            whole.append(elapsed)
            solve.append(answer["meta"]["solve_ms"])
            peer.append(theirs)
            ours = value(objective, np.array([answer["weights"][name] for name in names]), returns, annual / 252)
            other = value(objective, weights, returns, annual / 252)
            difference.append((ours - other) / abs(other))
        yield (f"| {objective} | {n} | {median_ms(whole):.1f} | {median_ms(solve):.2f} | {median_ms(peer):.1f} | {median_ms(difference):+.0e} |")
