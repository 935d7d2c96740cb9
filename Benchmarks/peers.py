"""The Python peers, one JSON line a case on standard input: Riskfolio-Lib, skfolio, and cone programs in raw Clarabel or HiGHS.

A case names a file of float64 (T x N by rows), a measure and an objective. The answer has `whole` (a fresh object, statistics, model and solve, in
seconds), for raw solvers `solver` (inside the solver alone, the problem already built), and the weights. Runs as its own process, so that a case that
takes too long can be ended.
"""
import contextlib
import io
import json
import os
import sys
import time
import warnings

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
RISK_AVERSION = 2


def frame(case):
    returns = np.fromfile(case["panel"], "<f8").reshape(case["T"], case["n"])
    return returns, pd.DataFrame(returns, index=pd.bdate_range("2000-01-03", periods=case["T"]), columns=[f"S{j:04d}" for j in range(case["n"])])


def riskfolio(case, returns, data):
    import riskfolio as rp
    start = time.perf_counter()
    portfolio = rp.Portfolio(returns=data)
    portfolio.assets_stats(method_mu="hist", method_cov="hist", method_kurt="hist" if case["measure"] in ("KT", "SKT") else None)
    portfolio.solvers = ["CLARABEL"]
    if case["kind"] == "frontier":
        points = portfolio.efficient_frontier(model="Classic", rm=case["measure"], points=case["points"], rf=0, hist=True)
        return {"whole": time.perf_counter() - start, "points": points.shape[1]}
    weights = portfolio.optimization(model="Classic", rm=case["measure"], obj=case["objective"], rf=0, l=RISK_AVERSION, hist=True)
    elapsed = time.perf_counter() - start
    return {"whole": elapsed, "weights": None if weights is None else weights.to_numpy().ravel().tolist()}


SKFOLIO = dict(MV="STANDARD_DEVIATION", MAD="MEAN_ABSOLUTE_DEVIATION", MSV="SEMI_DEVIATION", CVaR="CVAR", EVaR="EVAR", CDaR="CDAR", EDaR="EDAR", MDD="MAX_DRAWDOWN",
               ADD="AVERAGE_DRAWDOWN", UCI="ULCER_INDEX", WR="WORST_REALIZATION", GMD="GINI_MEAN_DIFFERENCE")


def skfolio(case, returns, data):
    from skfolio import RiskMeasure
    from skfolio.optimization import MeanRisk, ObjectiveFunction
    kind = {"MinRisk": ObjectiveFunction.MINIMIZE_RISK, "Sharpe": ObjectiveFunction.MAXIMIZE_RATIO}[case.get("objective", "MinRisk")]
    arguments = {"efficient_frontier_size": case["points"]} if case["kind"] == "frontier" else {}
    start = time.perf_counter()
    model = MeanRisk(objective_function=kind, risk_measure=RiskMeasure[SKFOLIO[case["measure"]]], solver="CLARABEL", **arguments).fit(data)
    elapsed = time.perf_counter() - start
    if case["kind"] == "frontier":
        return {"whole": elapsed, "points": len(model.weights_)}
    return {"whole": elapsed, "weights": np.asarray(model.weights_).tolist()}


def raw(solver):
    def run(case, returns, data):
        import cvxpy as cp
        import cones
        start = time.perf_counter()
        problem, w, k = cones.problem(case["objective"], case["measure"], returns, aversion=RISK_AVERSION)
        problem.solve(solver=solver)
        elapsed = time.perf_counter() - start
        weights = None if w.value is None else (w.value / (k.value if case["objective"] == "Sharpe" else 1)).tolist()
        return {"whole": elapsed, "solver": problem.solver_stats.solve_time, "weights": weights}
    return run


PEERS = {"riskfolio": riskfolio, "skfolio": skfolio, "clarabel": raw("CLARABEL"), "highs": raw("HIGHS")}


def main():
    # Solvers written in C print to the process's own output: answers leave by a copy of it.
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    print("ready", file=out, flush=True)
    for line in sys.stdin:
        case = json.loads(line)
        try:
            returns, data = frame(case)
            with contextlib.redirect_stdout(io.StringIO()):
                answer = PEERS[case["peer"]](case, returns, data)
        except Exception as error:  # a peer that fails is a result of the measurement
            answer = {"error": f"{type(error).__name__}: {error}"[:160]}
        print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    main()
