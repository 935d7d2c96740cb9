"""Every risk measure against its peers in one run, and what bounds our time. Replaces its own sections of RESULTS.md.

    python Benchmarks/measures.py .build/release/SolverBench --into Benchmarks/RESULTS.md
"""
import argparse
import json
import os
import pathlib
import select
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

import panels
from cones import LINEAR
from peers import SKFOLIO
from risks import MEASURES, objective
from solver_bench import SolverBench

HERE = pathlib.Path(__file__).resolve().parent
OBJECTIVES = ("MinRisk", "Sharpe")
# T^2 rows in the cone form: no raw solver at these sizes.
WITHOUT_RAW = ("GMD", "TG", "TGRG")


class Peers:
    """A process of `peers.py`, started again after a case that took too long."""

    def __init__(self, cap):
        self.cap, self.process = cap, None

    def line(self, seconds):
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        return self.process.stdout.readline() if ready else None

    def ask(self, case):
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen([sys.executable, HERE / "peers.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=subprocess.DEVNULL, text=True, bufsize=1, cwd=HERE)
            self.line(120)
        self.process.stdin.write(json.dumps(case) + "\n")
        self.process.stdin.flush()
        line = self.line(self.cap)
        if not line:
            self.process.kill()
            self.process.wait()
            self.process = None
            return {"error": f"over {self.cap:.0f} s"}
        return json.loads(line)

    def close(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait()


def seconds(value):
    if value is None: return "-"
    if value < 0.001: return f"{1e6 * value:.0f} us"
    if value < 1: return f"{1000 * value:.3g} ms"
    return f"{value:.3g} s"


def times(value):
    return "-" if value is None else f"{value:.0f}" if value >= 10 else f"{value:.1f}"


class Comparison:
    def __init__(self, bench, folder, options):
        self.bench, self.folder, self.options = bench, pathlib.Path(folder), options
        self.peers = Peers(options.cap)
        self.ratios = {}

    def panel(self, n, count):
        path = self.folder / f"panel_{n}_{count}.f64"
        if not path.exists():
            panels.panel(n, count).astype("<f8").tofile(path)
        return path, np.fromfile(path, "<f8").reshape(count, n)

    def one(self, code, kind, n, count, peers):
        """Medians of alternating repetitions, seconds."""
        path, returns = self.panel(n, count)
        request = {"risk_measure": code, "objective": kind, "risk_aversion": 2}
        ours, theirs, answer = [], {peer: [] for peer in peers}, {}
        values = {}
        for repeat in range(self.options.repeats):
            answer = self.bench.optimize(path, returns, request, repeats=5)
            if "weights" not in answer:
                return {"error": answer.get("problem", {}).get("code") or answer.get("error", "?")}
            ours += answer["whole_ms"][1 if repeat == 0 else 0:]
            for peer in peers:
                # One that failed or took long once isn't asked again.
                if repeat and (not theirs[peer] or theirs[peer][-1].get("error") or theirs[peer][-1]["whole"] > 10):
                    continue
                found = self.peers.ask(dict(peer=peer, kind="one", measure=code, objective=kind, n=n, T=count, panel=str(path)))
                theirs[peer].append(found)
        value, sign = objective(kind, code, np.array(answer["weights"]), returns)
        result = {"ours": statistics.median(ours) / 1000, "checked": statistics.median(answer["checked_ms"]) / 1000, "iterations": answer["iterations"], "gap": answer["gap"],
                  "solver": answer.get("solver_ms") and statistics.median(answer["solver_ms"]) / 1000, "peers": {}}
        best = None
        for peer, found in theirs.items():
            good = [f for f in found if f.get("weights") is not None]
            if not good:
                result["peers"][peer] = {"error": (found[-1].get("error") or "no solution") if found else "not run"}
                continue
            weights = np.maximum(np.array(good[-1]["weights"]), 0)
            other = objective(kind, code, weights / weights.sum(), returns)[0]
            best = other if best is None else (max(best, other) if sign > 0 else min(best, other))
            result["peers"][peer] = {"whole": statistics.median(f["whole"] for f in good),
                                     "solver": statistics.median(f["solver"] for f in good) if good[-1].get("solver") else None}
        result["difference"] = None if best is None else sign * (value - best) / abs(best)
        return result

    def table(self, n, count, with_peers):
        print(f"### n = {n}, T = {count}\n")
        print("| measure | objective | ours | solver alone | iterations | Riskfolio-Lib | ratio | skfolio | ratio | Clarabel, solver alone | HiGHS, solver alone | ratio | ours better by | over the floor |")
        print("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")
        floor = self.bench.floor(count, n)["iteration_ms"] / 1000
        for code in self.options.measures:
            for kind in OBJECTIVES:
                names = []
                if with_peers:
                    names = ["riskfolio"] + (["skfolio"] if code in SKFOLIO and not (code == "GMD" and n > 20) else [])
                    if code not in WITHOUT_RAW:
                        names += ["clarabel"] + (["highs"] if code in LINEAR else [])
                found = self.one(code, kind, n, count, names)
                self.row(code, kind, n, count, found, floor)
        print(flush=True)

    def row(self, code, kind, n, count, found, floor):
        if "error" in found:
            print(f"| {code} | {kind} | {found['error']} | | | | | | | | | | | |", flush=True)
            return
        ours = found["ours"]

        def cell(peer, part):
            entry = found["peers"].get(peer)
            if entry is None: return "-", None
            if "error" in entry: return "fails" if "over" not in entry["error"] else entry["error"], None
            return seconds(entry[part]), entry[part]
        riskfolio, riskfolio_s = cell("riskfolio", "whole")
        skfolio, skfolio_s = cell("skfolio", "whole")
        clarabel, clarabel_s = cell("clarabel", "solver")
        highs, highs_s = cell("highs", "solver")
        raw = min((s for s in (clarabel_s, highs_s) if s), default=None)
        for name, other in (("Riskfolio-Lib", riskfolio_s), ("the fastest raw solver", raw)):
            if other: self.ratios.setdefault((name, n, count), []).append((other / ours, f"{code} {kind}"))
        difference = "-" if found["difference"] is None else f"{found['difference']:+.0e}"
        print(f"| {code} | {kind} | {seconds(ours)} | {seconds(found['solver'])} | {found['iterations']} | {riskfolio} | {times(riskfolio_s and riskfolio_s / ours)} | {skfolio} | "
              f"{times(skfolio_s and skfolio_s / ours)} | {clarabel} | {highs} | {times(raw and raw / ours)} | {difference} | "
              f"{times(ours / (floor * found['iterations'])) if found['iterations'] else '-'} |", flush=True)

    def summary(self):
        print("### Ratios\n\n| against | n | T | median | least | of |\n|---|---|---|---|---|---|")
        for (name, n, count), found in self.ratios.items():
            least = min(found)
            print(f"| {name} | {n} | {count} | {times(statistics.median(r for r, _ in found))} | {times(least[0])} ({least[1]}) | {len(found)} |")
        print(flush=True)

    def single(self, title, n, count, request, aim, repeats=5):
        path, returns = self.panel(n, count)
        answer = self.bench.optimize(path, returns, request, repeats=repeats)
        if "weights" not in answer:
            print(f"| {title} | {n} | {count} | {answer.get('problem', {}).get('detail') or answer.get('error')} | {aim} | |", flush=True)
            return None
        took = statistics.median(answer["whole_ms"]) / 1000
        print(f"| {title} | {n} | {count} | {seconds(took)} | {aim} | {answer['gap']:.0e} |", flush=True)
        return took

    def singles(self):
        print("### Large ones and hard ones\n")
        print("| problem | n | T | ours | aim | gap |\n|---|---|---|---|---|---|")
        self.single("CVaR MinRisk", 1000, 2500, {"risk_measure": "CVaR", "objective": "MinRisk"}, "150 ms")
        self.single("KT MinRisk", 250, 1000, {"risk_measure": "KT", "objective": "MinRisk"}, "500 ms")
        self.single("GMD MinRisk", 100, 2500, {"risk_measure": "GMD", "objective": "MinRisk"}, "300 ms")
        self.single("MV MinRisk", 2000, 2500, {"risk_measure": "MV", "objective": "MinRisk"}, "1 s", repeats=3)
        for code in ("MV", "CVaR"):
            self.single(f"{code} MinRisk, at most 10 assets", 100, 1000,
                        {"risk_measure": code, "objective": "MinRisk", "constraints": {"cardinality": 10}}, "200 ms at a gap of 1e-4", repeats=3)
        print()

    def frontier(self):
        print("### A frontier of 50 points, n = 100, T = 1000\n")
        print("| measure | ours | Riskfolio-Lib | ratio | skfolio | ratio |\n|---|---|---|---|---|---|")
        for code in ("MV", "CVaR"):
            path, returns = self.panel(100, 1000)
            answer = self.bench.optimize(path, returns, {"risk_measure": code, "objective": "MinRisk", "efficient_frontier": 50}, repeats=2)
            ours = statistics.median(answer["whole_ms"]) / 1000 if "weights" in answer else None
            cells = []
            for peer in ("riskfolio", "skfolio"):
                found = self.peers.ask(dict(peer=peer, kind="frontier", points=50, measure=code, n=100, T=1000, panel=str(path)))
                took = found.get("whole")
                cells += [seconds(took) if took else found.get("error", "fails"), times(took and ours and took / ours)]
            print(f"| {code} | {seconds(ours)} | {' | '.join(cells)} |", flush=True)
        print()

    def growth(self):
        print("### How the time grows\n")
        print("Whole calls, MinRisk, one thread, processor time (which a shared machine disturbs less); the fit is log t = a + b log n + c log T over the sizes with n >= 100, T >= n. *Memory*: the process's peak less\nthat of a process with a problem of 3 x 50, over the panel's bytes + 10 n^2 doubles.\n")
        print("| measure | n | T | ours | iterations | one iteration's floor | over the floor | memory |\n|---|---|---|---|---|---|---|---|")
        path, _ = self.panel(3, 50)
        bench = SolverBench(self.options.bench, threads=1)
        resting = bench.optimize(path, np.zeros((50, 3)), {"risk_measure": "MV", "objective": "MinRisk"})["peak_bytes"]
        bench.close()
        for code in [code for code in ("MV", "CVaR", "MAD", "CDaR") if code in self.options.measures]:
            points = []
            for n, count in self.options.sizes:
                path, returns = self.panel(n, count)
                # A process of its own, so that the peak memory is this problem's.
                bench = SolverBench(self.options.bench, threads=1)
                answer = bench.optimize(path, returns, {"risk_measure": code, "objective": "MinRisk"}, repeats=3)
                floor = bench.floor(count, n)["iteration_ms"] / 1000
                bench.close()
                if "weights" not in answer:
                    print(f"| {code} | {n} | {count} | {answer.get('problem', {}).get('detail') or answer.get('error')} | | | | |", flush=True)
                    continue
                took = statistics.median(answer["cpu_ms"]) / 1000
                if n >= 100 and count >= n: points.append((np.log(n), np.log(count), np.log(took)))
                memory = (answer["peak_bytes"] - resting) / (8 * n * count + 80 * n * n)
                print(f"| {code} | {n} | {count} | {seconds(took)} | {answer['iterations']} | {seconds(floor)} | {times(took / (floor * max(answer['iterations'], 1)))} | {memory:.1f} |", flush=True)
            if len(points) >= 4:
                data = np.array(points)
                fit, *_ = np.linalg.lstsq(np.column_stack([np.ones(len(data)), data[:, :2]]), data[:, 2], rcond=None)
                print(f"| **{code}, fit** | b = {fit[1]:.2f} | c = {fit[2]:.2f} | | | | | |", flush=True)
        print()


def replace(path, title, text):
    """Replaces the section `title` of a document, or adds it at the end."""
    lines = path.read_text().splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith("## ")] + [len(lines)]
    for start, end in zip(starts, starts[1:]):
        if lines[start] == f"## {title}":
            lines[start:end] = []
            break
    else:
        start = len(lines)
    new = lines[:start] + ["" if start and lines[start - 1] else None, f"## {title}", "", *text.strip().splitlines(), ""] + lines[start:]
    path.write_text("\n".join(line for line in new if line is not None).rstrip() + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", help="the executable SolverBench, release build")
    parser.add_argument("--into", type=pathlib.Path, help="the document whose section is replaced")
    parser.add_argument("--measures", nargs="*", default=list(MEASURES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cap", type=float, default=120, help="seconds that a peer may take")
    parser.add_argument("--parts", nargs="*", default=["20", "100", "large", "frontier", "growth"], help="tables to take")
    parser.add_argument("--large-measures", nargs="*", help="measures of the table n = 100; all of --measures by default")
    parser.add_argument("--quick", action="store_true", help="small sizes only, to see that the script works")
    parser.add_argument("--without-peers", action="store_true")
    options = parser.parse_args()
    options.sizes = [(n, t) for n in (20, 50, 100, 250, 500, 1000) for t in (250, 1000, 2500, 10000)]
    if options.quick:
        options.sizes, options.repeats, options.parts = [(20, 250), (100, 500)], 1, ["20", "growth"]
    output = []

    class Tee:
        def write(self, text):
            output.append(text)
            sys.__stdout__.write(text)
        def flush(self): sys.__stdout__.flush()
    sys.stdout = Tee()
    print(f"{time.strftime('%Y-%m-%d %H:%M')}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start. Long only, weights add up to one; n = 20: the real stocks of `Samples`, their last T")
    print("returns; larger n: synthetic. *Ours*: the whole call from returns in memory: statistics, solve, metrics, contributions and certificate (release build, one process; one thread up to n = 100, all cores above).")
    print("*Solver alone* (ours): the same without the sample's moments and the metrics: reductions, program, solve, proof and contributions.")
    print("*Riskfolio-Lib*, *skfolio*: a fresh object, statistics, model and solve (Clarabel alone, Riskfolio's first default; all cores). *Solver alone*: the time inside the solver with the cone problem already")
    print("built, by the solver's own clock, default tolerances. All alternate in one run, medians. *Ours better by*: relative, the objective re-evaluated alike from both answers' weights, against the best peer; positive: ours")
    print("is better. *Over the floor*: our whole call over iterations x (rank-T update + Cholesky factorisation of n x n) at the rate this machine's BLAS reaches on full rows in the same run; below one where rows are left out.\n")
    # Up to a hundred assets a second thread only waits for the first.
    bench = SolverBench(options.bench, threads=1)
    with tempfile.TemporaryDirectory() as folder:
        comparison = Comparison(bench, folder, options)
        if "20" in options.parts: comparison.table(20, 1000, not options.without_peers)
        if "100" in options.parts:
            options.measures = options.large_measures or options.measures
            comparison.table(100, 1000, not options.without_peers)
        if comparison.ratios: comparison.summary()
        if "large" in options.parts: comparison.singles()
        if "frontier" in options.parts: comparison.frontier()
        if "growth" in options.parts: comparison.growth()
        comparison.peers.close()
    bench.close()
    sys.stdout = sys.__stdout__
    if options.into:
        replace(options.into, "Every risk measure against its peers", "".join(output))


if __name__ == "__main__":
    main()
