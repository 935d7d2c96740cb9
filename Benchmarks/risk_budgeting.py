"""Risk budgeting by Ballast's library and by Riskfolio-Lib in one run: python risk_budgeting.py path/to/SolverBench [measure ...].

Equal budgets over (n, T) = (20, 1000) and (100, 1000). Both start from returns in memory and end with weights; Ballast's times include its
verification. The two alternate. Contributions are compared where the measure has a gradient: at a kink only weights are.
"""
import contextlib
import io
import pathlib
import sys
import tempfile
import time
import warnings

import numpy as np
import pandas as pd
import riskfolio

from panels import synthetic
from solver_bench import SolverBench
from stack import median_ms

SIZES = [(20, 1000), (100, 1000)]
MEASURES = ["CVaR", "MV", "MAD", "MSV", "EVaR", "CDaR"]
REPEATS = 5


def by_riskfolio(frame, rm):
    """Weights and milliseconds of rp_optimization, statistics included; None where no solver answers."""
    start = time.perf_counter()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        portfolio = riskfolio.Portfolio(returns=frame)
        portfolio.solvers = ["CLARABEL"]
        portfolio.assets_stats(method_mu="hist", method_cov="hist")
        weights = portfolio.rp_optimization(model="Classic", rm=rm, rf=0, b=None, hist=True)
    elapsed = 1000 * (time.perf_counter() - start)
    return (None if weights is None else weights["weights"].to_numpy()), elapsed


def main():
    bench = SolverBench(sys.argv[1])
    print("| measure | n | T | Ballast, ms | Riskfolio-Lib, ms | times | largest difference of a weight |")
    print("|---|---|---|---|---|---|---|")
    for rm in sys.argv[2:] or MEASURES:
        for n, count in SIZES:
            returns = synthetic(n, count)
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder) / "panel.f64"
                returns.astype("<f8").tofile(path)
                frame = pd.DataFrame(returns, columns=[f"S{i:04d}" for i in range(n)])
                ours, theirs = [], []
                for _ in range(REPEATS):
                    answer = bench.optimize(path, returns, {"model": "RiskParity", "risk_measure": rm}, repeats=1)
                    if "problem" in answer or "error" in answer:
                        raise RuntimeError(answer)
                    ours.append(answer["checked_ms"][0])
                    weights, elapsed = by_riskfolio(frame, rm)
                    theirs.append(elapsed)
            miss = "no answer" if weights is None else f"{np.abs(np.array(answer['weights']) - weights).max():.0e}"
            ratio = median_ms(theirs) / median_ms(ours)
            print(f"| {rm} | {n} | {count} | {median_ms(ours):.1f} | {median_ms(theirs):.0f} | {ratio:.0f} | {miss} |", flush=True)
    bench.close()


main()
