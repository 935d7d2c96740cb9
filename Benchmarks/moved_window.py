"""The day after: solves of a window moved by one period, anew and from the answer of the day before. Processor time of one thread.

    python Benchmarks/moved_window.py .build/release/SolverBench
"""
import argparse
import pathlib
import tempfile

import numpy as np

import panels
from risks import MEASURES
from solver_bench import SolverBench


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench", help="the executable SolverBench, release build")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--assets", type=int, nargs="*", default=[20, 100])
    arguments = parser.parse_args()
    bench = SolverBench(arguments.bench, threads=1)
    print("| measure | n | MinRisk: anew | from yesterday's | iterations | Sharpe: anew | from yesterday's | iterations | moved | differ by |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for n in arguments.assets:
            whole = panels.panel(n, 1001)
            days = [np.ascontiguousarray(whole[:1000]), np.ascontiguousarray(whole[1:])]
            paths = [pathlib.Path(folder) / f"{n}_{day}.f64" for day in range(2)]
            for path, returns in zip(paths, days): returns.astype("<f8").tofile(path)
            for code in MEASURES:
                cells, moved, differ = [], 0.0, 0.0
                for kind in ("MinRisk", "Sharpe"):
                    request = {"risk_measure": code, "objective": kind}
                    before = np.array(bench.optimize(paths[0], days[0], request)["weights"])
                    anew = bench.optimize(paths[1], days[1], request, arguments.repeats)
                    warm = bench.optimize(paths[1], days[1], request, arguments.repeats, near=before)
                    moved = max(moved, np.abs(before - anew["weights"]).sum())
                    differ = max(differ, np.abs(np.array(warm["weights"]) - anew["weights"]).max())
                    cells += [f"{min(anew['cpu_ms']):.2f} ms", f"{min(warm['cpu_ms']):.2f} ms", f"{anew['iterations']} / {warm['iterations']}"]
                print(f"| {code} | {n} | " + " | ".join(cells) + f" | {moved:.3f} | {differ:.0e} |", flush=True)


if __name__ == "__main__":
    main()
