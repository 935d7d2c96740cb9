"""Constraints that leave little room, each measure as objective and as limit: every problem has to be answered and proven.

    python Benchmarks/binding.py .build/release/SolverBench ceilings ties soft --universes 6

ceilings: one and two limits of risk between the least risk and that of the asset with the largest mean. ties: least returns close to a largest
mean that two assets nearly share. soft: limits of risk at prices of 1e3 to 1e9 on what the rest of the problem breaks. Ends with 1 if anything is refused.
"""
import argparse
import collections
import pathlib
import tempfile

import numpy as np

from risks import MEASURES
from solver_bench import SolverBench


def name(i): return f"S{int(i):04d}"


class Tally:
    """Answers by how they were found or refused, those proven to more than 1e-8, and the processor time."""

    def __init__(self):
        self.kinds, self.loose, self.time, self.refused = collections.Counter(), [], 0.0, 0

    def take(self, answer, *what):
        code = (answer.get("problem") or {}).get("code") or answer.get("error") or answer["method"]
        self.kinds[code] += 1
        self.time += answer.get("cpu_ms", [0])[0]
        if "weights" in answer and answer["gap"] > 1e-8:
            self.loose.append(answer["gap"])
            print("  proven to", answer["gap"], *what, flush=True)
        if "weights" not in answer and code != "OPT-203":
            self.refused += 1
            print("  ", code, *what, (answer.get("problem") or {}).get("detail", "")[:120], flush=True)


class Universe:
    def __init__(self, bench, folder, returns):
        self.bench, self.returns, self.path = bench, np.ascontiguousarray(returns), pathlib.Path(folder) / "panel.f64"
        self.returns.astype("<f8").tofile(self.path)

    def ask(self, code, objective, constraints=None):
        return self.bench.optimize(self.path, self.returns, {
            "risk_measure": code, "objective": objective, "periods_per_year": 252, "constraints": {**(constraints or {}), "units": "period"}})

    def alone(self, code, asset): return self.ask(code, "MinRisk", {"lower_bound": {name(asset): 1.0}})["risk"]


def ceilings(bench, folder, seed, tally):
    random = np.random.default_rng([seed, 1])
    n, count = int(random.integers(4, 30)), int(random.integers(60, 300))
    market = 0.01 * random.standard_t(4, (count, 1))
    place = Universe(bench, folder, 0.0005 + market * random.uniform(0.3, 1.4, n) + 0.01 * random.standard_t(4, (count, n)))
    best, before = int(np.argmax(place.returns.mean(0))), None
    for code in MEASURES:
        least = place.ask(code, "MinRisk")["risk"]
        level = least + float(random.choice([0.02, 0.3, 0.8])) * (place.alone(code, best) - least)
        for objective, own in (("MaxRet", code), ("Utility", "CVaR"), ("Sharpe", "CVaR"), ("MinRisk", "MAD"), ("Sharpe", code)):
            tally.take(place.ask(own, objective, {"max_risk": {code: level}}), seed, code, objective, own)
        both = {code: level} if before is None else {code: level, before[0]: 1.5 * max(before[1], 0)}
        tally.take(place.ask("MV", "Utility", {"max_risk": both}), seed, both)
        before = (code, level)


def ties(bench, folder, seed, tally):
    random = np.random.default_rng([seed, 2])
    n, count = int(random.integers(4, 30)), int(random.integers(60, 301))
    returns = 0.01 * random.standard_t(4, (count, n)) + 0.0005
    first, second = np.argsort(-returns.mean(0))[:2]
    returns[:, second] += returns[:, first].mean() - returns[:, second].mean() - 1e-9 * random.random() * 10.0 ** random.integers(0, 4)
    top = returns.mean(0).max()
    level = top - abs(top) * 10.0 ** -random.integers(4, 10)
    place = Universe(bench, folder, returns)
    for code in MEASURES:
        for objective in ("Sharpe", "MinRisk", "Utility"):
            tally.take(place.ask(code, objective, {"min_return": level}), seed, code, objective)


def soft(bench, folder, seed, tally):
    random = np.random.default_rng([seed, 3])
    n, count = int(random.integers(4, 9)), int(random.integers(40, 120))
    place = Universe(bench, folder, random.standard_normal((count, n)) * (10 if seed % 2 else 0.01) * (0.5 + random.random(n)))
    best = int(np.argmax(place.ask("CVaR", "MaxRet")["weights"]))
    for code in MEASURES:
        alone = place.alone(code, best)
        for share in (0.7, 0.8, 0.9):
            for weight in (1e3, 1e6, 1e9):
                limits = {"max_risk": {code: share * alone}, "soft": {"max_risk": weight}}
                tally.take(place.ask("CVaR", "MaxRet", limits), seed, code, share, weight)


SECTIONS = {"ceilings": ceilings, "ties": ties, "soft": soft}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", help="the executable SolverBench, release build")
    parser.add_argument("sections", nargs="*", default=list(SECTIONS))
    parser.add_argument("--universes", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    bench, refused = SolverBench(arguments.bench, threads=1), 0
    with tempfile.TemporaryDirectory() as folder:
        for section in arguments.sections:
            tally = Tally()
            for place in range(arguments.universes): SECTIONS[section](bench, folder, arguments.seed + place, tally)
            refused += tally.refused
            print(f"{section}: {sum(tally.kinds.values())} problems, {tally.refused} refused, {len(tally.loose)} proven to more than 1e-8"
                  f" (largest {max(tally.loose, default=0):.0e}), {tally.time / 1e3:.1f} s; {dict(tally.kinds.most_common())}", flush=True)
    raise SystemExit(refused > 0)


if __name__ == "__main__":
    main()
