"""Risk budgeting by Ballast's library and by Riskfolio-Lib in one run: python risk_budgeting.py path/to/SolverBench [measure ...].

Equal budgets over (n, T) = (20, 1000) and (100, 1000). Both start from returns in memory and end with weights; Ballast's times include its
verification. The two alternate, one thread each; beside the wall clock stands the processor time of each side, which other processes disturb less.
Contributions are compared where the measure has a gradient: at a kink only weights are.
"""
import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

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
MEASURES = [
    "MV", "KT", "MAD", "MSV", "SKT", "FLPM", "SLPM", "CVaR", "EVaR", "RLVaR", "WR", "CVRG", "EVRG", "RVRG", "RG", "MDD", "ADD", "CDaR", "EDaR", "RLDaR",
    "UCI", "GMD", "TG", "TGRG",
]
REPEATS = 5


def by_riskfolio(frame, rm):
    """Weights, milliseconds and processor milliseconds of rp_optimization, statistics included; None where no solver answers."""
    start, processor = time.perf_counter(), time.process_time()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        portfolio = riskfolio.Portfolio(returns=frame)
        portfolio.solvers = ["CLARABEL"]
        portfolio.assets_stats(method_mu="hist", method_cov="hist", method_kurt="hist" if rm in ("KT", "SKT") else None)
        try:
            weights = portfolio.rp_optimization(model="Classic", rm=rm, rf=0, b=None, hist=True)
        except Exception:  # whatever an unknown measure or a missing moment ends in
            weights = None
    elapsed, used = 1000 * (time.perf_counter() - start), 1000 * (time.process_time() - processor)
    return (None if weights is None else weights["weights"].to_numpy()), elapsed, used


def main():
    bench = SolverBench(sys.argv[1], threads=1)
    print("| measure | n | T | Ballast, ms (processor) | Riskfolio-Lib, ms (processor) | times (processor) | largest difference of a weight |")
    print("|---|---|---|---|---|---|---|")
    for rm in sys.argv[2:] or MEASURES:
        for n, count in [size for size in SIZES if os.environ.get("ONLY") in (None, str(size[0]))]:
            returns = synthetic(n, count)
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder) / "panel.f64"
                returns.astype("<f8").tofile(path)
                frame = pd.DataFrame(returns, columns=[f"S{i:04d}" for i in range(n)])
                ours, theirs, own, other = [], [], [], []
                for _ in range(REPEATS):
                    answer = bench.optimize(path, returns, {"model": "RiskParity", "risk_measure": rm}, repeats=1)
                    if "problem" in answer or "error" in answer:
                        raise RuntimeError(answer)
                    ours.append(answer["checked_ms"][0])
                    own.append(answer["cpu_ms"][0])
                    weights, elapsed, used = by_riskfolio(frame, rm)
                    theirs.append(elapsed)
                    other.append(used)
            miss = "no answer" if weights is None else f"{np.abs(np.array(answer['weights']) - weights).max():.0e}"
            ratio, processor = median_ms(theirs) / median_ms(ours), median_ms(other) / median_ms(own)
            print(
                f"| {rm} | {n} | {count} | {median_ms(ours):.1f} ({median_ms(own):.1f}) | {median_ms(theirs):.0f} ({median_ms(other):.0f}) "
                f"| {ratio:.0f} ({processor:.0f}) | {miss} |", flush=True)
    bench.close()


main()
