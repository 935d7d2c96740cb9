"""Random problems of every risk measure, solved by this project and by Clarabel, judged alike.

    python Benchmarks/cross_check.py .build/release/SolverBench --problems 1000

No answer may be missing, and none may be worse than Clarabel's by more than 1e-7. Problems depend on --seed only. Ends with 1 if anything is off.
"""
import argparse
import pathlib
import sys
import tempfile
import warnings
import zlib

import numpy as np

import cones
import panels
from risks import MEASURES, objective, risk
from solver_bench import SolverBench

KINDS = ("MinRisk", "Utility", "Sharpe")
REAL = panels.real_returns()
WORSE = 1e-7


def draw(code, index, seed):
    """A problem: returns, objective, rate, bounds and groups."""
    random = np.random.default_rng([seed, zlib.crc32(code.encode()), index])
    n = int(random.integers(3, 13))
    # T^2 rows of the assignment dual and the power cones set the size, not our side.
    count = int(random.integers(n + 2, 60 if code in ("GMD", "TG", "TGRG") else 160))
    if random.random() < 0.6:
        start = int(random.integers(0, len(REAL) - count))
        returns = REAL[start:start + count][:, random.choice(20, n, replace=False)]
    else:
        market = 0.01 * random.standard_t(4, (count, 1))
        returns = 0.0005 + market * random.uniform(0.3, 1.4, n) + 0.01 * random.standard_t(4, (count, n))
    kind = KINDS[int(random.integers(3))]
    upper = float(max(1.05 / n, random.choice([1.0, 0.6, 0.35])))
    lower = float(random.choice([0.0, 0.0, 0.3 / n]))
    groups = []
    if random.random() < 0.4 and n >= 4:
        size = int(random.integers(2, n - 1))
        members = random.choice(n, size, replace=False)
        share = size / n
        groups.append((members, max(0.0, share - 0.25), min(1.0, share + float(random.uniform(0, 0.2)))))
    aversion = float(10 ** random.uniform(-1, 1.5))
    rate = float(random.choice([0.0, 0.0001])) if kind == "Sharpe" else 0.0
    return returns, kind, rate, aversion, lower, upper, groups


def by_clarabel(code, returns, kind, rate, aversion, lower, upper, groups):
    """Its weights, or None, from the tightest tolerance that it reaches."""
    import cvxpy as cp
    for tolerance in (1e-10, 1e-8):
        problem, w, k = cones.problem(kind, code, returns, rate, aversion, upper, lower, groups)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                problem.solve(solver=cp.CLARABEL, tol_gap_abs=tolerance, tol_gap_rel=tolerance, tol_feas=tolerance, max_iter=300)
        except cp.SolverError:
            continue
        if problem.status in ("infeasible", "unbounded", "infeasible_inaccurate", "unbounded_inaccurate"):
            return None, problem.status
        if problem.status == "optimal" and w.value is not None:
            weights = np.clip(w.value / (k.value if kind == "Sharpe" else 1), lower, upper)
            return weights / weights.sum(), "optimal"
    return None, "failed"


def allowed(theirs, ours, lower, upper, groups):
    """Their weights, moved towards ours until they keep the bounds and groups that a solver breaks by its tolerance: what is broken would count as better."""
    rows = [([i], lower, upper) for i in range(len(theirs))] + list(groups)
    share = 0.0
    for members, low, high in rows:
        own, other = ours[members].sum(), theirs[members].sum()
        beyond = max(other - high, low - other)
        if beyond > 0 and own != other: share = max(share, min(beyond / abs(other - own), 1.0))
    return (1 - share) * theirs + share * ours


def never_loses(returns, rate, lower, upper, groups):
    """Whether some allowed portfolio's worst return is above the rate, by HiGHS."""
    from scipy.optimize import linprog
    count, n = returns.shape
    rows, most = [np.hstack([-returns, np.ones((count, 1))])], [np.zeros(count)]
    for members, low, high in groups:
        row = np.zeros(n + 1)
        row[members] = 1
        rows += [row[None], -row[None]]
        most += [[high], [-low]]
    found = linprog(np.r_[np.zeros(n), -1], A_ub=np.vstack(rows), b_ub=np.concatenate(most), A_eq=np.r_[np.ones(n), 0][None], b_eq=[1],
                    bounds=[(lower, upper)] * n + [(None, None)])
    return found.status == 0 and found.x[-1] > max(rate, 0)


def request(code, kind, rate, aversion, lower, upper, groups):
    body = {"risk_measure": code, "objective": kind, "risk_free_rate": 252 * rate, "periods_per_year": 252, "risk_aversion": aversion,
            "constraints": {"lower_bound": lower, "upper_bound": upper}}
    if groups:
        body["constraints"]["groups"] = {f"G{i}": [f"S{j:04d}" for j in members] for i, (members, _, _) in enumerate(groups)}
        body["constraints"]["group_constraints"] = {f"G{i}": {"min": float(low), "max": float(high)} for i, (_, low, high) in enumerate(groups)}
    return body


def check(bench, folder, code, first, count, seed):
    """Counts and the largest differences of one measure; faults in words."""
    solved = theirs_failed = refused = 0
    worst = best = 0.0
    faults = []
    for index in range(first, first + count):
        returns, kind, rate, aversion, lower, upper, groups = draw(code, index, seed)
        path = pathlib.Path(folder) / f"{code}_{index}.f64"
        returns.astype("<f8").tofile(path)
        answer = bench.optimize(path, returns, request(code, kind, rate, aversion, lower, upper, groups))
        path.unlink()
        theirs, status = by_clarabel(code, returns, kind, rate, aversion, lower, upper, groups)
        label = f"{code} {kind} problem {index}"
        if "weights" not in answer:
            reason = answer.get("problem", {}).get("code") or str(answer)[:200]
            # No portfolio beats the rate, or one beats it without risk: Clarabel's own, or one that never loses.
            riskless = theirs is not None and risk(code, returns @ theirs, rate) <= 1e-12 or never_loses(returns, rate, lower, upper, groups)
            if reason == "OPT-203" and kind == "Sharpe" and (theirs is None or riskless):
                refused += 1
            else:
                detail = answer.get("problem", {}).get("detail", "")
                faults.append(f"{label}: refused with {reason} {detail[:200]}; Clarabel: {status}")
            continue
        solved += 1
        ours = np.array(answer["weights"])
        value, sign = objective(kind, code, ours, returns, rate, aversion)
        if abs(ours.sum() - 1) > 1e-9 or ours.min() < lower - 1e-9 or ours.max() > upper + 1e-9:
            faults.append(f"{label}: the weights break a bound")
        for members, low, high in groups:
            if not low - 1e-9 <= ours[members].sum() <= high + 1e-9:
                faults.append(f"{label}: the weights break a group")
        if abs(answer["objective_value"] - value) > 1e-6 * abs(value) + 1e-12:
            faults.append(f"{label}: objective_value {answer['objective_value']}, its definition gives {value}")
        if theirs is None:
            theirs_failed += 1
            continue
        other = objective(kind, code, allowed(theirs, ours, lower, upper, groups), returns, rate, aversion)[0]
        size = max(abs(value), abs(other), 1e-6)
        difference = sign * (value - other) / size
        worst, best = min(worst, difference), max(best, difference)
        if difference < -WORSE:
            faults.append(f"{label}: worse than Clarabel by {-difference:.1e} ({value} against {other})")
    print(f"{code:6} {solved:5} solved {refused:4} without a ratio {theirs_failed:4} where Clarabel fails   ours worse by at most {-worst:.0e}, better by at most {best:.0e}"
          + (f"   {len(faults)} FAULTS" if faults else ""), flush=True)
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", help="the executable SolverBench")
    parser.add_argument("--problems", type=int, default=20, help="a measure")
    parser.add_argument("--first", type=int, default=0, help="the number of the first problem, to take them in parts")
    parser.add_argument("--measures", nargs="*", default=list(MEASURES))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    bench = SolverBench(options.bench)
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        for code in options.measures:
            faults += check(bench, folder, code, options.first, options.problems, options.seed)
    bench.close()
    for fault in faults[:50]:
        print("  " + fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
