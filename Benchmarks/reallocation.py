"""The trade problem beside cvxpy in the same run, and the fault scripts. Replaces its own section of RESULTS.md.

    swift build -c release --product ReallocationBench
    python Benchmarks/reallocation.py .build/release/ReallocationBench [--into Benchmarks/RESULTS.md] [--problems 8] [--faults 100000]

cvxpy solves the convex relaxation with Clarabel in the cell of the tax that the plan is in: shares not whole, no minimum trade, no greatest
number of trades, and each lot's sale free of the sign of the trade. It is a problem with fewer limits: its value is below every plan's, and
whole-share trades would still have to be made from it. The time is that of the solver alone, without cvxpy's compilation.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

MARK = ("<!-- reallocation -->", "<!-- /reallocation -->")


def relaxation(problem):
    """Value and seconds of the relaxation by cvxpy and Clarabel; the least over the cells of the tax."""
    import cvxpy as cp

    assets = problem["assets"]
    n = len(assets)
    price = np.array([a["price"] for a in assets])
    spread = np.array([a["spread"] for a in assets])
    volume = np.array([a["volume"] for a in assets])
    daily = np.array([a["volatility"] for a in assets])
    target = np.array([a["target"] for a in assets])
    owner, size, gain, is_long = [], [], [], []
    for i, asset in enumerate(assets):
        for lot in asset["lots"]:
            owner.append(i)
            size.append(lot["quantity"])
            gain.append(price[i] - lot["basis"])
            is_long.append(lot["long"])
    owner, size, gain, is_long = map(np.array, (owner, size, gain, is_long))
    held = np.bincount(owner, size, n)
    belongs = np.zeros((n, len(owner)))
    belongs[owner, np.arange(len(owner))] = 1
    sigma = np.array(problem["covariance"])
    values, vectors = np.linalg.eigh(sigma)
    root = vectors * np.sqrt(np.maximum(values, 0))
    rate_short, rate_long = problem["rates"]
    short0, long0 = problem["realised"]
    cap = problem["cap"]

    def tax0(s, l):
        total = s + l
        if total < 0: return -rate_short * min(cap, -total)
        if s >= 0: return rate_short * s + rate_long * l if l >= 0 else rate_short * total
        return rate_long * total

    best, seconds = np.inf, 0.0
    for cell in range(5):
        buy, sale = cp.Variable(n, nonneg=True), cp.Variable(len(owner), nonneg=True)
        shares = buy - belongs @ sale
        sold = belongs @ sale
        weights = cp.multiply(price, held + shares) / problem["value"]
        moved = buy + sold
        costs = (cp.sum(cp.multiply(spread + problem["per_share"], moved))
                 + problem["impact"] * cp.sum(cp.multiply(daily * price / np.sqrt(volume), cp.power(moved, 1.5))))
        short = short0 + cp.sum(cp.multiply(gain * ~is_long, sale))
        long = long0 + cp.sum(cp.multiply(gain * is_long, sale))
        total = short + long
        tax, inside = [
            (rate_short * short + rate_long * long, [short >= 0, long >= 0]),
            (rate_short * total, [short >= 0, long <= 0, total >= 0]),
            (rate_long * total, [short <= 0, long >= 0, total >= 0]),
            (rate_short * total, [total <= 0, total >= -cap]),
            (-rate_short * cap, [total <= -cap]),
        ][cell]
        limits = inside + [sale <= size, problem["cash"] - price @ shares - costs >= problem["floor"]]
        if problem["turnover"]: limits.append(price @ moved / 2 <= problem["turnover"] * problem["value"])
        objective = (problem["kappa"] / 2 * cp.sum_squares(root.T @ (weights - target)) + costs + tax - tax0(short0, long0)) / 1000
        program = cp.Problem(cp.Minimize(objective), limits)
        try:
            program.solve(solver=cp.CLARABEL)
        except cp.error.SolverError:
            continue
        seconds += program.solver_stats.solve_time or 0
        if program.value is not None: best = min(best, program.value * 1000)
    return best, seconds


def trades(bench, n, count, peer, factors=5, market="exchange"):
    file = tempfile.NamedTemporaryFile(suffix=".jsonl", delete=False).name
    lines = [json.loads(line) for line in subprocess.run(
        [bench, "trades", str(n), str(count), str(factors), market] + ([file] if peer else []), capture_output=True, text=True, check=True).stdout.splitlines()]
    rows = []
    for whole in (True, False):
        found = [line for line in lines if line["whole"] == whole]
        gaps = [line["gap"] for line in found]
        rows.append(f"| {n} | {factors} | {market} | {'yes' if whole else 'thousandths'} | {len(found)} | {statistics.median(l['ms'] for l in found):.0f} "
                    f"| {max(l['ms'] for l in found):.0f} | {statistics.median(l['cpu_ms'] for l in found):.0f} "
                    f"| {100 * statistics.median(gaps):.2f} % | {100 * max(gaps):.2f} % "
                    f"| {100 * max((l['objective'] - l['bound']) / max(l['idle'] - l['objective'], 1e-9) for l in found):.2f} % |")
    comparison = []
    if peer:
        problems = [json.loads(line) for line in pathlib.Path(file).read_text().splitlines()]
        ours = {line["problem"]: line for line in lines if not line["whole"]}
        for problem in problems[:peer]:
            if problem["max_trades"]: continue
            value, seconds = relaxation(problem)
            mine = ours[problem["problem"]]
            comparison.append(f"| {n} | {problem['problem']} | {value:.2f} | {1000 * seconds:.0f} | {mine['bound']:.2f} | {mine['objective']:.2f} | {mine['ms']:.0f} |")
    os.unlink(file)
    return rows, comparison


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bench")
    parser.add_argument("--into")
    parser.add_argument("--problems", type=int, default=8)
    parser.add_argument("--peer", type=int, default=3)
    parser.add_argument("--faults", type=int, default=100_000)
    options = parser.parse_args()
    out = ["## Reallocation\n", f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start. Direct index of n names with four lots each; every second problem has a",
           "turnover limit or a greatest number of trades as well. Reinvested: dividends bought a fiftieth of every name ten days ago, so that all losses stand beside",
           "a purchase within the wash-sale window. Pools: every name in two liquidity pools, four stretches of liquidity, on a network that takes 1.00 a trade.",
           "Gap: (objective - lower bound) / |objective|; of the gain: / (objective of doing nothing - objective).\n",
           "| n | factors | market | whole shares | problems | median ms | largest ms | median processor ms | median gap | largest gap | largest of the gain |", "|---|---|---|---|---|---|---|---|---|---|---|"]
    compared = []
    for n, factors, market, count, peer in (
        (100, 5, "exchange", options.problems, 2), (100, 5, "pools", options.problems, 0), (100, 100, "exchange", options.problems, 0), (500, 5, "exchange", options.problems, options.peer),
        (500, 5, "reinvested", options.problems, 0), (500, 5, "pools", options.problems, 0),
        (1000, 5, "exchange", max(4, options.problems // 2), 0), (1000, 100, "exchange", max(4, options.problems // 2), 0), (1000, 5, "reinvested", max(4, options.problems // 2), 0)):
        rows, comparison = trades(options.bench, n, count, peer, factors, market)
        out += rows
        compared += comparison
    out += ["", "The problems in thousandths of a share beside cvxpy and Clarabel in the same run. cvxpy's problem is relaxed: it may buy and sell one asset",
            "at once, so its value is not that of a plan. Its time is the solver's, over the five cells of the tax.\n",
            "| n | problem | cvxpy value | cvxpy ms | our bound | our plan | our ms |", "|---|---|---|---|---|---|---|"] + compared
    if options.faults:
        start = time.monotonic()
        report = json.loads(subprocess.run([options.bench, "faults", str(options.faults)], capture_output=True, text=True, check=True).stdout.splitlines()[-1])
        out += ["", f"Fault scripts: {report['scripts']} in {time.monotonic() - start:.0f} s, {report['crashes']} crashes, {report['faults']} faults injected; "
                f"{report['double_orders']} double orders, {report['mismatches']} books that differ, {report['replays']} replays that differ."]
    text = "\n".join([MARK[0]] + out + [MARK[1]])
    if options.into:
        path = pathlib.Path(options.into)
        old = path.read_text()
        if MARK[0] in old:
            before, rest = old.split(MARK[0], 1)
            text = before + text + rest.split(MARK[1], 1)[1]
        else:
            text = old.rstrip() + "\n\n" + text + "\n"
        path.write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    sys.exit(main())
