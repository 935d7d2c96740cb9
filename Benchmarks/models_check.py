"""Not a benchmark: models and estimators on made-up universes beside Riskfolio-Lib, parameters drawn at random.

    python models_check.py path/to/SolverBench [--problems 100] [--seed 1] [section ...]

Sections: estimators, hierarchical, parity, relaxed, ordered, black_litterman, factors, factor_views, entropy, opinions, worst, nested, backtests,
metrics, naive, four, sets, near, resampled, idzorek, conventions, factor_parity, schur, edges. Prints every difference beyond the tolerance of its section (1e-8 relative for closed
forms; for optimised ones how much worse the answer is by the peer's own risk functions), and ends with 1 if there is one.
"""
import argparse
import sys
import tempfile

import numpy as np
import pandas as pd
import riskfolio as rp
from riskfolio.src import ParamsEstimation as estimation

import models_check_edges
import models_check_rest as rest
import models_check_views as views
from models_check_base import RISK, Check, quiet, relative
from solver_bench import SolverBench

MEASURES = ["vol", "MV", "KT", "MAD", "GMD", "MSV", "SKT", "FLPM", "SLPM", "VaR", "CVaR", "TG", "EVaR", "WR", "VRG", "CVRG", "TGRG", "RG", "MDD", "ADD",
            "DaR", "CDaR", "EDaR", "UCI", "MDD_Rel", "ADD_Rel", "DaR_Rel", "CDaR_Rel", "EDaR_Rel", "UCI_Rel", "equal"]
CODEPENDENCES = ["pearson", "spearman", "kendall", "abs_pearson", "abs_spearman", "abs_kendall", "distance", "mutual_info", "tail", "gerber1", "gerber2"]
LINKAGES = ["single", "complete", "average", "weighted", "centroid", "median", "ward", "DBHT"]


def estimators(check, problems):
    for _ in range(problems):
        returns, path, frame = check.panel()
        random, ask = check.random, lambda request: check.bench.ask(
            do="moments", panel=str(path), observations=len(returns), columns=returns.shape[1], request=request)
        d = float(random.uniform(0.85, 0.99))
        method = check.choice(["hist", "ewma1", "ewma2", "JS", "BS", "BOP"])
        wanted, arguments = {"method": method}, {}
        if method.startswith("ewma"):
            wanted["d"] = arguments["d"] = d
        if method in ("JS", "BS", "BOP"):
            wanted["target"] = arguments["target"] = check.choice(["b1", "b2", "b3"])
        answer = ask({"mean_estimator": wanted})
        with quiet():
            theirs = estimation.mean_vector(frame, method=method, **arguments).to_numpy().ravel()
        if "problem" in answer:
            check.refuse(f"mean {wanted}", answer)
        else:
            check.compare(f"mean {wanted}", relative(answer["mean"], theirs), 1e-8)
        method = check.choice(["hist", "semi", "ewma1", "ewma2", "ledoit", "oas", "shrunk", "gl", "jlogo", "fixed", "spectral", "shrink", "gerber1", "gerber2"])
        wanted, arguments = {"method": method}, {}
        if method.startswith("ewma"):
            wanted["d"] = arguments["d"] = d
        if method == "shrunk" or method == "shrink":
            wanted["alpha"] = arguments["alpha"] = float(random.uniform(0.05, 0.5))
        if method in ("fixed", "spectral", "shrink"):
            wanted["detone"] = arguments["detone"] = bool(random.integers(0, 2))
            if wanted["detone"]:
                wanted["market_components"] = arguments["mkt_comp"] = 1
        if method.startswith("gerber"):
            wanted["threshold"] = arguments["threshold"] = float(random.uniform(0.3, 0.9))
        answer = ask({"covariance_estimator": wanted})
        with quiet():
            theirs = estimation.covar_matrix(frame, method=method, **arguments).to_numpy()
        if "problem" in answer:
            check.refuse(f"covariance {wanted}", answer)
        elif answer["warnings"]:
            # What is not positive semidefinite, a detoned matrix for one, is mended and the peer's function leaves it.
            continue
        else:
            check.compare(f"covariance {wanted}", relative(answer["covariance"], theirs), 1e-6 if method in ("gl", "fixed", "spectral", "shrink") else 1e-8)


def hierarchical(check, problems):
    for _ in range(problems):
        returns, path, frame = check.panel()
        model = check.choice(["HRP", "HRP", "HERC", "HERC", "HERC2"])
        rm, codependence, linkage = check.choice(MEASURES), check.choice(CODEPENDENCES), check.choice(LINKAGES)
        if model != "HRP" and (linkage in ("centroid", "median") or rm == "equal"):
            # What the peer makes of heights that fall, and of equal risks, is known to be wrong: docs/hierarchical.md.
            continue
        wanted = {"codependence": codependence, "linkage": linkage, "leaf_order": bool(check.random.integers(0, 2)), "max_k": int(check.random.integers(4, 12))}
        options = {"max_k": wanted["max_k"], "leaf_order": wanted["leaf_order"]}
        if model != "HRP":
            wanted["method_k"] = options["opt_k_method"] = check.choice(["twodiff", "stdsil"])
            if check.random.integers(0, 3) == 0:
                wanted["k"] = options["k"] = int(check.random.integers(2, 5))
        if codependence == "mutual_info":
            wanted["bins"] = options["bins_info"] = check.choice(["KN", "FD", "SC", "HGR", 8])
        if codependence == "tail":
            wanted["alpha_tail"] = options["alpha_tail"] = float(check.choice([0.05, 0.1, 0.2]))
        if codependence.startswith("gerber"):
            wanted["threshold"] = options["gs_threshold"] = float(check.choice([0.3, 0.5, 0.8]))
        alpha = float(check.choice([0.05, 0.1]))
        request = {"model": model, "risk_measure": rm, "alpha": alpha, "clustering": wanted}
        limits = {}
        if check.random.integers(0, 3) == 0:
            n = returns.shape[1]
            request["constraints"] = {"upper_bound": 2.5 / n, "lower_bound": 0.2 / n}
            limits = {"w_max": pd.Series(2.5 / n, index=frame.columns), "w_min": pd.Series(0.2 / n, index=frame.columns)}
        label = f"{model} {rm} {codependence} {linkage} {wanted} n={returns.shape[1]} T={len(returns)} {'bounds' if limits else ''} #{check.number}"
        answer = check.bench.optimize(path, returns, request)
        try:
            with quiet():
                theirs = rp.HCPortfolio(returns=frame, alpha=alpha, **limits).optimization(
                    model=model, codependence=codependence, rm=rm, linkage=linkage, **options)["weights"].to_numpy()
        except Exception as error:
            print(f"  the peer fails at {label}: {type(error).__name__}")
            continue
        if "problem" in answer or "error" in answer:
            check.refuse(label, answer)
            continue
        if abs(theirs.sum() - 1) > 1e-6:
            print(f"  the peer's weights add up to {theirs.sum():.3f} at {label}")
            continue
        # EVaR's and the others' own risks come from a solver of the peer.
        tolerance = 1e-5 if rm.startswith(("EVaR", "EDaR", "RL", "TG")) else 1e-8
        check.compare(label, float(np.abs(np.array(answer["weights"]) - theirs).max()), tolerance)


def parity(check, problems):
    for _ in range(problems):
        returns, path, frame = check.panel()
        n = returns.shape[1]
        rm = check.choice([m for m in RISK if m not in ("RG", "WR", "MDD", "ADD")])
        shares = check.random.uniform(0.5, 2, n)
        shares /= shares.sum()
        request = {"model": "RiskParity", "risk_measure": rm, "risk_budget": {f"S{i:04d}": float(b) for i, b in enumerate(shares)}}
        label = f"parity {rm} n={n} T={len(returns)} #{check.number}"
        answer = check.answer(label, path, returns, request)
        if answer is None:
            continue
        with quiet():
            portfolio = rp.Portfolio(returns=frame)
            portfolio.solvers = ["CLARABEL"]
            portfolio.assets_stats(method_mu="hist", method_cov="hist", method_kurt="hist")
            try:
                theirs = portfolio.rp_optimization(model="Classic", rm=rm, rf=0, b=shares.reshape(-1, 1), hist=True)
            except UnboundLocalError:
                theirs = None  # it does not know the measure
        if theirs is None:
            print(f"  the peer has no answer at {label}")
            continue

        def value(w):
            x = (returns @ w).reshape(-1, 1)
            risk = float(np.squeeze(RISK[rm](x)))
            return np.log(risk) / (1 if rm not in ("KT", "SKT") else 2) - shares @ np.log(w)

        theirs = theirs["weights"].to_numpy()
        own, other = value(np.array(answer["weights"])), value(theirs / theirs.sum())
        # Ours may be better, by no more than the peer's solver leaves.
        check.compare(label, own - other, 1e-9)
        # The peer minimises stand-ins for these: a relaxation of SKT, nodes of TG and GMD.
        check.compare(label + " is much better", other - own, 1e-2 if rm in ("SKT", "TG", "GMD") else 1e-4)


def relaxed(check, problems):
    for _ in range(problems):
        returns, path, frame = check.panel()
        n = returns.shape[1]
        version, level = check.choice(["A", "B", "C"]), float(check.random.uniform(0.5, 3))
        shares = check.random.uniform(0.5, 2, n)
        shares /= shares.sum()
        request = {"model": "RelaxedRiskParity", "relaxation": {"version": version, "lambda": level},
                   "risk_budget": {f"S{i:04d}": float(b) for i, b in enumerate(shares)}}
        least = None
        if check.random.integers(0, 2):
            mean = returns.mean(axis=0)
            least = float(mean.mean() + 0.3 * (mean.max() - mean.mean()))
            request["constraints"] = {"min_return": least}
        label = f"relaxed {version} {level:.2f} n={n} T={len(returns)} {'return' if least else ''} #{check.number}"
        answer = check.answer(label, path, returns, request)
        if answer is None:
            continue
        with quiet():
            portfolio = rp.Portfolio(returns=frame)
            portfolio.solvers = ["CLARABEL"]
            portfolio.assets_stats(method_mu="hist", method_cov="hist")
            portfolio.lowerret = least
            theirs = portfolio.rrp_optimization(model="Classic", version=version, l=level, b=shares.reshape(-1, 1), hist=True)
        if theirs is None:
            print(f"  the peer has no answer at {label}")
            continue
        check.compare(label, float(np.abs(np.array(answer["weights"]) - theirs["weights"].to_numpy()).max()), 2e-4)


def ordered(check, problems):
    for _ in range(problems):
        returns, path, frame = check.panel()
        order, objective = int(check.random.integers(2, 6)), check.choice(["MinRisk", "Utility", "Sharpe"])
        request = {"model": "OWA", "objective": objective, "owa_weights": {"method": "l_moment_crm", "k": order, "weighting": "CRRA"}}
        label = f"OWA CRRA {order} {objective} n={returns.shape[1]} T={len(returns)} #{check.number}"
        answer = check.answer(label, path, returns, request)
        if answer is None:
            continue
        with quiet():
            weights = rp.owa_l_moment_crm(len(returns), k=order, method="CRRA", g=0.5)
            portfolio = rp.Portfolio(returns=frame)
            portfolio.solvers = ["CLARABEL"]
            portfolio.assets_stats(method_mu="hist", method_cov="hist")
            theirs = portfolio.owa_optimization(obj=objective, owa_w=weights, rf=0, l=2)
        if theirs is None:
            print(f"  the peer has no answer at {label}")
            continue

        def value(w):
            x = returns @ w
            risk, mean = float(np.sort(x) @ weights.ravel()), x.mean()
            return {"MinRisk": risk, "Utility": -(mean - 2 * risk), "Sharpe": -mean / risk}[objective]

        own, other = value(np.array(answer["weights"])), value(theirs["weights"].to_numpy())
        check.compare(label, (own - other) / abs(other), 1e-9)
        check.compare(label + " is much better", (other - own) / abs(other), 1e-3)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bench")
    parser.add_argument("sections", nargs="*")
    parser.add_argument("--problems", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    known = {
        "estimators": estimators, "hierarchical": hierarchical, "parity": parity, "relaxed": relaxed, "ordered": ordered,
        "black_litterman": views.black_litterman, "factors": views.factors, "factor_views": views.factor_views, "entropy": views.entropy,
        "opinions": views.opinions, "worst": views.worst, "nested": views.nested, "backtests": views.backtests, "metrics": views.metrics,
        "naive": views.naive, "four": views.moments_of_four,
        "sets": rest.sets, "near": rest.near, "resampled": rest.resampled, "idzorek": rest.idzorek, "conventions": rest.conventions,
        "factor_parity": rest.factor_parity, "schur": rest.schur, "edges": models_check_edges.edges}
    faults = 0
    bench = SolverBench(wanted.bench, threads=1)
    with tempfile.TemporaryDirectory() as folder:
        for place, name in enumerate(wanted.sections or known):
            check = Check(bench, folder, np.random.default_rng([wanted.seed, place]))
            known[name](check, wanted.problems)
            faults += check.faults
            print(f"{name}: {check.count} comparisons, {check.faults} differences, the largest {check.worst:.1e}", flush=True)
    bench.close()
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
