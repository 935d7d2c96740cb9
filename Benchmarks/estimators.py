"""Ledoit-Wolf by Ballast and by scikit-learn in one run, one thread each: python estimators.py path/to/SolverBench."""
import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # before numpy

import pathlib
import sys
import tempfile
import time

import numpy as np
from sklearn.covariance import LedoitWolf

from panels import panel
from solver_bench import SolverBench


def main():
    bench = SolverBench(sys.argv[1], threads=1)
    print("| estimator | n | T | Ballast, ms | scikit-learn, ms | times | relative difference of the norms |\n|---|---|---|---|---|---|---|")
    for n, count in ((100, 1000), (500, 2500)):
        returns = panel(n, count)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "panel.f64"
            returns.astype("<f8").tofile(path)
            ours, theirs = [], []
            for _ in range(5):
                answer = bench.ask(do="covariance", panel=str(path), observations=count, columns=n, repeats=3, method="ledoit")
                ours += answer["ms"]
                for _ in range(3):
                    start = time.perf_counter()
                    found = LedoitWolf(store_precision=False).fit(returns)
                    theirs.append(1000 * (time.perf_counter() - start))
        norm = np.linalg.norm(found.covariance_)
        print(f"| Ledoit-Wolf | {n} | {count} | {np.median(ours):.1f} | {np.median(theirs):.1f} | {np.median(theirs) / np.median(ours):.1f} "
              f"| {abs(answer['frobenius_norm'] / norm - 1):.0e} |", flush=True)
    bench.close()


main()
