"""Hostile universes under random constraints: every measure and objective has to answer, or to refuse for a reason that this script can check.

    python Benchmarks/hostile.py .build/release/SolverBench --problems 40

Every problem is built around a portfolio that keeps all its constraints, so "no portfolio is possible" is never right. A missing ratio is right
only where nothing beats the rate, or where a portfolio without risk does. Answers are proven by the library's own verification; here the
weights are held against the constraints once more, and against the portfolio that the problem was built around. Problems depend on --seed
only. Ends with 1 if anything is off.
"""
import argparse
import pathlib
import sys
import tempfile
import zlib

import numpy as np

import panels
from risks import DEGREE_TWO, MEASURES, objective, risk
from solver_bench import SolverBench

KINDS = ("MinRisk", "Utility", "Sharpe", "MaxRet")
REAL = panels.real_returns()
UNIVERSES = ("real", "fat", "duplicated", "still", "short", "two", "tiny", "huge", "riskless", "equal", "one", "mixed", "rounded", "up", "outlier", "cash",
             "factor", "wide")


def universe(name, random):
    """Returns, T x n."""
    n = int(random.integers(2, 13))
    count = int(random.integers(n + 2, 200))
    if random.random() < 0.6:
        start = int(random.integers(0, len(REAL) - count))
        returns = REAL[start:start + count][:, random.choice(20, n, replace=False)].copy()
    else:
        returns = 0.0005 + 0.01 * random.standard_t(4, (count, 1)) * random.uniform(0.3, 1.4, n) + 0.01 * random.standard_t(4, (count, n))
    if name == "fat": returns = 0.01 * random.standard_t(2.1, (count, n))
    if name == "duplicated":
        returns = returns[:, random.integers(0, n, n + 2)]
        if random.random() < 0.5: returns[:, 0] *= 1 + 1e-12
    if name == "still": returns[:, random.integers(0, n)] = random.choice([0.0, 0.0001, -0.0001])
    if name == "short": returns = returns[:max(3, n // 2)]
    if name == "two": returns = returns[:2]
    if name == "tiny": returns = returns * 1e-6
    if name == "huge": returns = returns * 1e3
    if name == "riskless": returns[:, 0] = 1e-4 * (1 + 1e-9 * random.normal(size=count))
    if name == "equal": returns = np.repeat(returns[:max(2, count // 8)], 8, axis=0)
    if name == "one": returns = returns[:, :1]
    if name == "mixed": returns = returns * 10.0 ** random.integers(-4, 3, returns.shape[1])
    if name == "rounded": returns = np.round(returns, 2)
    if name == "up": returns = np.abs(returns)
    if name == "outlier": returns[random.integers(0, count), random.integers(0, n)] = random.choice([-0.9, 3.0])
    if name == "cash": returns[:, 0] = 0.0
    if name == "factor": returns = returns[:, :1] * random.uniform(0.5, 1.5, n) + 0.0002 * random.normal(size=n)
    if name == "wide":
        n = int(random.integers(20, 45))
        returns = 0.0005 + 0.01 * random.standard_t(5, (30, 1)) * random.uniform(0.3, 1.4, n) + 0.01 * random.standard_t(5, (30, n))
    return np.ascontiguousarray(returns)


def names(members):
    return [f"S{int(j):04d}" for j in members]


def problem(code, returns, random):
    """A request, the portfolio it was built around, and the rows and bounds to check."""
    n, unit = returns.shape[1], max(float(np.abs(returns).mean()), 1e-12)
    wanted, rows = {}, []
    held = random.dirichlet(np.full(n, random.choice([0.3, 1.0, 5.0])))
    lower, upper = np.zeros(n), np.ones(n)
    if n > 1 and random.random() < 0.25:
        shift = random.normal(size=n) * 0.3 / n
        held = held + shift - shift.mean()
        lower = np.full(n, -0.5)
        upper = np.full(n, 1.5)
        held = np.clip(held, -0.45, 1.45)
        held = held + (1 - held.sum()) / n
        wanted.update(short=float(np.maximum(-held, 0).sum() * 1.5 + 0.05), lower_bound=-0.5, upper_bound=1.5)
        if random.random() < 0.5: wanted["gross"] = float(np.abs(held).sum() * 1.1)
    elif random.random() < 0.5:
        top = float(min(1.0, held.max() * random.uniform(1.0, 1.3)))
        wanted["upper_bound"] = top
        upper = np.full(n, top)
        if random.random() < 0.3:
            wanted["lower_bound"] = float(max(held.min(), 0) * random.choice([0.5, 1.0]))
            lower = np.full(n, wanted["lower_bound"])
    labels = names(range(n))
    if n > 2 and random.random() < 0.3:
        members = np.sort(random.choice(n, int(random.integers(1, n)), replace=False))
        share = float(held[members].sum())
        low, high = share - float(random.choice([0, 0.1])), share + float(random.choice([0, 0.1]))
        wanted["groups"] = {"G": names(members)}
        wanted["group_constraints"] = {"G": {"min": low, "max": high}}
        rows.append((np.isin(np.arange(n), members).astype(float), low, high))
    if random.random() < 0.2:
        row = np.round(random.normal(size=n), 2)
        level = float(row @ held) + float(random.choice([0.0, 0.05]))
        wanted["linear"] = [{"name": "row", "coefficients": dict(zip(labels, map(float, row))), "max": level}]
        rows.append((row, -np.inf, level))
    if random.random() < 0.25:
        start = random.dirichlet(np.ones(n))
        wanted["turnover"] = {"from": dict(zip(labels, map(float, start)))}
        if random.random() < 0.5: wanted["turnover"]["per_asset"] = float(np.abs(held - start).max() * 1.05)
        else: wanted["turnover"]["total"] = float(np.abs(held - start).sum() * 1.05)
    if random.random() < 0.15:
        wanted["min_return"] = float(returns.mean(0) @ held) - 0.01 * unit
        wanted["units"] = "period"
    if random.random() < 0.15:
        start = random.dirichlet(np.ones(n))
        difference = returns @ (held - start)
        wanted["benchmark"] = dict(zip(labels, map(float, start)))
        wanted["tracking_error"] = float(np.sqrt(difference @ difference / max(len(difference) - 1, 1)) * 1.05 + 1e-3 * unit)
        wanted["units"] = "period"
    if random.random() < 0.25:
        ceilings = {}
        for other in random.choice(MEASURES, int(random.integers(1, 4)), replace=False):
            value = risk(other, returns @ held)
            size = unit**2 if other in DEGREE_TWO else unit
            if np.isfinite(value): ceilings[str(other)] = float(max(value, 0) * random.choice([1.02, 1.3]) + 1e-2 * size)
        wanted.update(max_risk=ceilings, units="period")
    if random.random() < 0.1 and held @ held < 0.9: wanted["effective_assets"] = float(0.9 / (held @ held))
    if random.random() < 0.25:
        start = random.dirichlet(np.ones(n))
        size = unit * 10.0 ** random.uniform(-2, 2)
        wanted["costs"] = {"from": dict(zip(labels, map(float, start)))}
        if random.random() < 0.7: wanted["costs"]["linear"] = float(size)
        if random.random() < 0.5 or "linear" not in wanted["costs"]: wanted["costs"]["impact"] = float(size)
    softenable = [name for name in ("group_constraints", "linear", "turnover", "tracking_error", "min_return", "max_risk", "effective_assets") if name in wanted]
    if softenable and random.random() < 0.3:
        wanted["soft"] = {str(random.choice(softenable)): float(unit * 10.0 ** random.uniform(-3, 6))}
    kelly = str(random.choice(["none", "none", "none", "approx", "exact"]))
    if kelly == "exact" and np.abs(returns).max() > 0.5: kelly = "none"
    kind = str(random.choice(KINDS))
    body = {"risk_measure": code, "objective": kind, "kelly": kelly, "risk_aversion": float(10 ** random.uniform(-1, 1.5)), "periods_per_year": 252,
            "risk_free_rate": float(252 * random.choice([0.0, 0.2 * unit * random.normal()])) if kind == "Sharpe" else 0.0, "constraints": wanted}
    if abs(body["risk_free_rate"]) > 10: body["risk_free_rate"] = 0.0
    return body, held, rows, lower, upper


def has_ratio(returns, body, held):
    """Whether the portfolio that the problem was built around beats the rate after costs and growth's second order: then there is a ratio."""
    costs = body["constraints"].get("costs", {})
    change = np.abs(held - np.array(list(costs["from"].values()))) if costs else 0 * held
    paid = (costs.get("linear", 0) * change + costs.get("impact", 0) * change**1.5).sum()
    x = returns @ held
    mean = {"none": x.mean(), "approx": x.mean() - x.var(ddof=1) / 2, "exact": np.log1p(np.maximum(x, -1 + 1e-12)).mean()}[body["kelly"]]
    return "soft" not in body["constraints"] and mean - paid > body["risk_free_rate"] / 252 + 1e-9 * np.abs(returns).max()


def check(answer, body, held, rows, lower, upper, returns):
    """What is off, in words; nil where nothing is."""
    weights = np.array(answer["weights"])
    soft = "".join(body["constraints"].get("soft", {}))
    if abs(weights.sum() - 1) > 1e-9 or (weights < lower - 1e-9).any() or (weights > upper + 1e-9).any(): return "a bound or the budget is broken"
    for row, low, high in rows:
        if not soft and not low - 1e-9 <= row @ weights <= high + 1e-9: return "a row is broken"
    if answer["gap"] > 1e-7: return f"proven only to {answer['gap']:.1e}"
    # The portfolio that the problem was built around must not be better.
    if body["kelly"] == "none" and not soft and "costs" not in body["constraints"]:
        rate = body["risk_free_rate"] / 252
        code, kind = body["risk_measure"], body["objective"]
        ours, sign = objective(kind, code, weights, returns, rate, body["risk_aversion"])
        theirs = objective(kind, code, held, returns, rate, body["risk_aversion"])[0]
        size = max(abs(ours), np.abs(returns).mean() * 1e-3)
        if sign * (theirs - ours) > 1e-7 * size: return f"worse than the portfolio that it was built around: {ours} and {theirs}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", help="the executable SolverBench")
    parser.add_argument("--problems", type=int, default=20, help="a measure")
    parser.add_argument("--measures", nargs="*", default=list(MEASURES))
    parser.add_argument("--universes", nargs="*", default=list(UNIVERSES))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="one problem of each measure, with its request")
    options = parser.parse_args()
    bench = SolverBench(options.bench, threads=1)
    faults, solved, without = [], 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for code in options.measures:
            own = []
            for index in range(options.problems) if options.only is None else [options.only]:
                random = np.random.default_rng([options.seed, zlib.crc32(code.encode()), index])
                name = options.universes[index % len(options.universes)]
                returns = universe(name, random)
                body, held, rows, lower, upper = problem(code, returns, random)
                path = pathlib.Path(folder) / f"{code}_{index}.f64"
                returns.astype("<f8").tofile(path)
                try:
                    answer = bench.optimize(path, returns, body)
                except RuntimeError:  # a trap: the process has said where
                    bench, answer = SolverBench(options.bench, threads=1), {"error": "trapped"}
                if options.only is not None: print(body, returns.shape, answer)
                path.unlink()
                label = f"{code} {body['objective']} {body['kelly']} problem {index} ({name} {returns.shape[1]} x {returns.shape[0]}, {' '.join(body['constraints'])})"
                if "weights" in answer:
                    solved += 1
                    fault = check(answer, body, held, rows, lower, upper, returns)
                    if fault: own.append(f"{label}: {fault}")
                    continue
                refusal = answer.get("problem", {})
                reason = refusal.get("code") or str(answer)[:300]
                if reason == "OPT-203" and body["objective"] == "Sharpe" and (
                        "without limit" in refusal["detail"] or not has_ratio(returns, body, held)
                        or "No portfolio has the largest ratio of growth" in refusal["detail"] and body["kelly"] != "none"):
                    without += 1
                    continue
                own.append(f"{label}: {reason} {refusal.get('detail', '')[:160]} {str(refusal.get('errors', ''))[:200]}")
            print(f"{code:6} {len(own)} faults", flush=True)
            for fault in own: print("   " + fault, flush=True)
            faults += own
    bench.close()
    print(f"{solved} answered, {without} without a ratio, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
