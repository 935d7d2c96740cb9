"""A walk-forward of ten years by Ballast's library and by skfolio in one run: python backtest.py path/to/SolverBench.

The last 2,520 daily returns of the 20 real stocks of Samples; least CVaR (5 %), long only, fitted on 252 days, held for 21. Ballast makes its fits on one
thread and on two, the service's way on two cores; skfolio makes them one after the other, its way (`n_jobs=None`), one thread of BLAS each. Ballast's
times include the verification of every answer and the path's figures; skfolio's are `cross_val_predict` with `WalkForward` and the solver it
ships. Weights are constant within a window and free of costs, skfolio's way, so that the two series can be compared.
"""
import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import pathlib
import sys
import tempfile
import time
import warnings

import numpy as np
import pandas as pd
from skfolio import RiskMeasure
from skfolio.model_selection import WalkForward, cross_val_predict
from skfolio.optimization import MeanRisk, ObjectiveFunction

from panels import real_returns
from solver_bench import SolverBench

PERIODS, TRAIN, TEST = 2520, 252, 21
MEASURES = [("CVaR", RiskMeasure.CVAR), ("MV", RiskMeasure.VARIANCE)]


def by_skfolio(frame, measure):
    model = MeanRisk(risk_measure=measure, objective_function=ObjectiveFunction.MINIMIZE_RISK)
    start, processor = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = cross_val_predict(model, frame, cv=WalkForward(train_size=TRAIN, test_size=TEST, reduce_test=True))
    return np.asarray(path.returns), 1000 * (time.perf_counter() - start), 1000 * (time.process_time() - processor)


def main():
    returns = real_returns()[-PERIODS:]
    frame = pd.DataFrame(
        returns, columns=[f"S{i:04d}" for i in range(returns.shape[1])], index=pd.bdate_range("2012-01-02", periods=len(returns)))
    bench = SolverBench(sys.argv[1], threads=1)
    print("| measure | fits | threads | Ballast, ms (processor) | skfolio, ms (processor) | times (processor) | largest difference of a day's return |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "panel.f64"
        returns.astype("<f8").tofile(file)
        for code, measure in MEASURES:
            request = {
                "risk_measure": code, "objective": "MinRisk",
                "backtest": {"train": TRAIN, "rebalance": TEST, "drift": False}}
            order = dict(do="backtest", panel=str(file), observations=PERIODS, columns=returns.shape[1], request=request)
            bench.ask(repeats=1, **order)
            theirs, elapsed, used = by_skfolio(frame, measure)
            for threads in (1, 2):
                ours = bench.ask(repeats=7, threads=threads, **order)
                if "whole_ms" not in ours:
                    raise RuntimeError(ours)
                wall, processor = float(np.median(ours["whole_ms"])), float(np.median(ours["cpu_ms"]))
                miss = np.abs(np.array(ours["returns"]) - theirs).max()
                print(
                    f"| {code} | {ours['fits']} | {threads} | {wall:.0f} ({processor:.0f}) | {elapsed:.0f} ({used:.0f}) "
                    f"| {elapsed / wall:.0f} ({used / processor:.0f}) | {miss:.0e} |", flush=True)
    bench.close()


main()
