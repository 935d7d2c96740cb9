"""HRP, HERC and NCO by Ballast's library and by Riskfolio-Lib in one run: python hierarchical.py path/to/SolverBench [n ...].

Both start from returns in memory and end with weights; Ballast's times include its verification. The two alternate, one thread each; in parentheses
the processor time of each side, which other processes disturb less.
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

from solver_bench import SolverBench
from stack import median_ms

CASES = [
    ("HRP", "MV", "pearson", "single"), ("HRP", "CVaR", "pearson", "ward"), ("HERC", "MV", "pearson", "ward"),
    ("HERC", "CDaR", "spearman", "average"), ("NCO", "MV", "pearson", "ward"),
]
PERIODS = 1000


def panel(n, seed=2026):
    """Student-t returns of three factors and noise."""
    random = np.random.default_rng(seed)
    factors = random.standard_t(5, (PERIODS, 3)) * [0.008, 0.004, 0.003]
    loadings = np.column_stack([random.uniform(0.5, 1.5, n), random.normal(0, 0.6, (n, 2))])
    return 0.0003 + factors @ loadings.T + random.standard_t(5, (PERIODS, n)) * random.uniform(0.006, 0.02, n)


def by_riskfolio(frame, model, rm, codependence, linkage):
    start, processor = time.perf_counter(), time.process_time()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        portfolio = riskfolio.HCPortfolio(returns=frame)
        weights = portfolio.optimization(
            model=model, codependence=codependence, rm=rm, obj="MinRisk", linkage=linkage, max_k=10, leaf_order=True)
    return weights["weights"].to_numpy(), 1000 * (time.perf_counter() - start), 1000 * (time.process_time() - processor)


def main():
    bench = SolverBench(sys.argv[1], threads=1)
    print("| model | measure | codependence | linkage | n | Ballast, ms (processor) | Riskfolio-Lib, ms (processor) | times (processor) | largest difference |")
    print("|---|---|---|---|---|---|---|---|---|")
    for n in [int(word) for word in sys.argv[2:]] or [500, 1000]:
        returns = panel(n)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "panel.f64"
            returns.astype("<f8").tofile(path)
            frame = pd.DataFrame(returns, columns=[f"S{i:04d}" for i in range(n)])
            for model, rm, codependence, linkage in CASES:
                if rm == "CDaR" and n == 1000:
                    continue  # ten minutes of Riskfolio-Lib
                request = {
                    "model": model, "risk_measure": rm,
                    "clustering": {"codependence": codependence, "linkage": linkage, "leaf_order": True, "max_k": 10}}
                if model == "NCO":
                    request["objective"] = "MinRisk"
                ours, theirs, own, other = [], [], [], []
                for _ in range(3 if n <= 500 else 1):
                    answer = bench.optimize(path, returns, request, repeats=1)
                    if "problem" in answer or "error" in answer:
                        raise RuntimeError(answer)
                    ours.append(answer["checked_ms"][0])
                    own.append(answer["cpu_ms"][0])
                    if n <= 1000:
                        weights, elapsed, used = by_riskfolio(frame, model, rm, codependence, linkage)
                        theirs.append(elapsed)
                        other.append(used)
                row = f"| {model} | {rm} | {codependence} | {linkage} | {n} | {median_ms(ours):.0f} ({median_ms(own):.0f}) |"
                if theirs:
                    miss = np.abs(np.array(answer["weights"]) - weights).max()
                    row += f" {median_ms(theirs):.0f} ({median_ms(other):.0f}) |"
                    row += f" {median_ms(theirs) / median_ms(ours):.0f} ({median_ms(other) / median_ms(own):.0f}) | {miss:.0e} |"
                print(row if theirs else row + " - | - | - |", flush=True)
    bench.close()


main()
