"""Sections of models_check.py whose peers draw at random, or are formulas: bootstrap sets, near-optimal and resampled portfolios, confidences,
PyPortfolioOpt's convention, factor risk parity, Schur's complement."""
import itertools

import cvxpy as cp
import numpy as np
import pandas as pd
import riskfolio as rp
from riskfolio.src import ParamsEstimation as estimation

from models_check_base import quiet, relative
from models_check_views import dates, factor_panel, moments, random_views


def narrow(check, most):
    """A universe of few assets."""
    returns, path, frame = check.panel()
    n = min(returns.shape[1], most)
    returns = np.ascontiguousarray(returns[:, :n])
    path = check.folder / f"narrow{check.number}.f64"
    returns.astype("<f8").tofile(path)
    return returns, path, frame.iloc[:, :n]


def sets(check, problems):
    """The half-width of the worst case at our weights, under our set and under Riskfolio-Lib's; both are drawn, so they differ by some per cent."""
    kinds = {"stationary": "stationary", "circular": "circular", "moving": "moving"}
    for _ in range(problems):
        returns, path, frame = narrow(check, 8)
        count, n = returns.shape
        kind, shape = check.choice(list(kinds)), check.choice(["box", "ellipsoid"])
        window, q = int(check.random.integers(2, 12)), float(check.choice([0.05, 0.1]))
        part = {"set": shape, "method": kinds[kind], "window": window, "q": q, "samples": 4000, "seed": int(check.random.integers(1, 1000))}
        if shape == "ellipsoid":
            part["diagonal"] = True
        request = {"model": "WorstCase", "objective": "Utility", "risk_aversion": 3.0, "uncertainty": {"mean": part, "covariance": part}}
        label = f"set {kind} {shape} window={window} q={q} n={n} T={count} #{check.number}"
        answer = check.answer(label, path, returns, request)
        if answer is None:
            continue
        w = np.array(answer["weights"])
        with quiet():
            mu_l, mu_u, cov_l, cov_u, cov_mu, cov_sigma, k_mu, k_sigma = [
                np.asarray(x, dtype=float) for x in estimation.bootstrapping(frame, kind=kind, q=q, n_sim=1500, window=window, diag=True, seed=7)]
        mean, sigma = returns.mean(axis=0), np.cov(returns.T)
        if shape == "box":
            theirs = np.abs(w) @ np.ravel((mu_u - mu_l) / 2), w @ (cov_u - sigma) @ w
        else:
            variances = np.diag(cov_sigma).reshape(n, n)
            theirs = k_mu * np.sqrt(w @ cov_mu @ w), k_sigma * np.sqrt((np.outer(w, w) ** 2 * variances).sum())
        ours = answer["figures"]
        check.compare(label + " mean", abs((mean @ w - ours["worst_return"]) / theirs[0] - 1), 0.12)
        check.compare(label + " covariance", abs((ours["worst_risk"] ** 2 - w @ sigma @ w) / theirs[1] - 1), 0.12)


def near(check, problems):
    """The most diversified portfolio within a share of the least risk, beside cvxpy."""
    for _ in range(problems):
        returns, path, frame = narrow(check, 14)
        count, n = returns.shape
        measure, give = check.choice(["MV", "CVaR", "MAD"]), float(check.random.uniform(0.01, 0.2))
        request = {"model": "NearOptimal", "risk_measure": measure, "objective": "MinRisk", "near_optimal": {"tolerance": give}}
        label = f"near {measure} {give:.3f} n={n} T={count} #{check.number}"
        answer = check.answer(label, path, returns, request)
        if answer is None:
            continue
        w, t = cp.Variable(n), cp.Variable()
        root = np.linalg.cholesky(np.cov(returns.T)).T
        centred = returns - returns.mean(axis=0)
        risk = {
            "MV": cp.norm(root @ w), "CVaR": t + cp.sum(cp.pos(-returns @ w - t)) / (0.05 * count),
            "MAD": cp.sum(cp.abs(centred @ w)) / count}[measure]
        rules = [w >= 0, cp.sum(w) == 1]
        best = cp.Problem(cp.Minimize(100 * risk), rules).solve(solver=cp.CLARABEL) / 100
        squares = cp.Problem(cp.Minimize(cp.sum_squares(w)), rules + [100 * risk <= 100 * best * (1 + give)]).solve(solver=cp.CLARABEL)
        own = np.square(answer["weights"]).sum()
        check.compare(label, own / squares - 1, 1e-6)
        check.compare(label + " is much better", squares / own - 1, 1e-5)


def resampled(check, problems):
    """The mean over subsets, beside the mean over all subsets; bands that hold it."""
    for _ in range(problems):
        returns, path, frame = narrow(check, 7)
        count, n = returns.shape
        size, samples = int(check.random.integers(2, n)), 2000
        request = {"model": "Resampled", "risk_measure": "MV", "objective": "MinRisk",
                   "resampling": {"method": "subset", "size": size, "samples": samples, "seed": int(check.random.integers(1, 1000))}}
        label = f"subsets of {size} of {n} T={count} #{check.number}"
        answer = check.answer(label, path, returns, request)
        if answer is None:
            continue
        sigma, all_weights = np.cov(returns.T), []
        for kept in itertools.combinations(range(n), size):
            w = cp.Variable(size)
            part = sigma[np.ix_(kept, kept)]
            cp.Problem(cp.Minimize(cp.quad_form(w, cp.psd_wrap(1e4 * part))), [w >= 0, cp.sum(w) == 1]).solve(solver=cp.CLARABEL)
            full = np.zeros(n)
            full[list(kept)] = w.value
            all_weights.append(full)
        error = np.std(all_weights, axis=0) / np.sqrt(samples)
        check.compare(label, float((np.abs(np.array(answer["weights"]) - np.mean(all_weights, axis=0)) / (error + 1e-7)).max()), 5)


def idzorek(check, problems):
    """Confidences beside PyPortfolioOpt's closed form."""
    from pypfopt import BlackLittermanModel
    for _ in range(problems):
        returns, path, frame = check.panel()
        columns = list(frame.columns)
        P, Q, items = random_views(check, columns, 0.001)
        confidences = check.random.uniform(0.05, 0.95, len(items))
        for item, confidence in zip(items, confidences):
            item["confidence"] = float(confidence)
        prior = check.random.uniform(0.2, 2, len(columns))
        prior /= prior.sum()
        delta, tau = float(check.random.uniform(1, 5)), float(check.choice([0.01, 0.05, 0.3]))
        views = {"items": items, "equilibrium": True, "prior_weights": dict(zip(columns, prior.tolist())), "risk_aversion": delta, "tau": tau}
        answer = moments(check, path, returns, {"model": "BL", "views": views})
        label = f"idzorek tau={tau} #{check.number}"
        if "problem" in answer:
            check.refuse(label, answer)
            continue
        sigma = frame.cov()
        with quiet():
            model = BlackLittermanModel(
                sigma, pi=delta * sigma.to_numpy() @ prior, P=np.asarray(P), Q=np.ravel(Q), tau=tau, omega="idzorek", view_confidences=confidences)
            mean, cov = model.bl_returns().to_numpy(), model.bl_cov().to_numpy()
        check.compare(label + " mean", relative(answer["mean"], mean), 1e-8)
        check.compare(label + " covariance", relative(answer["covariance"], cov), 1e-8)


def conventions(check, problems):
    """`convention: pypfopt`: the figures that PyPortfolioOpt prints for the same weights."""
    from pypfopt import EfficientFrontier, EfficientSemivariance, expected_returns, risk_models
    for _ in range(problems):
        returns, path, frame = check.panel()
        count, n = returns.shape
        w = check.random.uniform(0, 1, n)
        w /= w.sum()
        rate = float(check.choice([0.0, 0.02]))
        request = {"weights": dict(zip(frame.columns, w.tolist())), "convention": "pypfopt", "risk_free_rate": rate, "alpha": 0.05}
        answer = check.bench.ask(do="metrics", panel=str(path), observations=count, columns=n, request=request)
        label = f"pypfopt n={n} T={count} rate={rate} #{check.number}"
        if "metrics" not in answer:
            check.refuse(label, answer)
            continue
        with quiet():
            mu = expected_returns.mean_historical_return(frame, returns_data=True)
            frontier = EfficientFrontier(mu, risk_models.sample_cov(frame, returns_data=True))
            frontier.set_weights(dict(zip(frame.columns, w)))
            plain = frontier.portfolio_performance(risk_free_rate=rate)
            semi = EfficientSemivariance(mu, frame, frequency=252)
            semi.weights = w
            below = semi.portfolio_performance(risk_free_rate=rate)
        ours = answer["metrics"]
        for name, theirs in (
                ("expected_return", plain[0]), ("volatility", plain[1]), ("sharpe_ratio", plain[2]), ("semi_deviation", below[1]), ("sortino_ratio", below[2])):
            check.compare(f"{label} {name}", relative([ours[name]], [theirs]), 1e-8)
        # PyPortfolioOpt's CVaR is its optimiser's value, least over the quantile, which is one of the losses.
        losses = -returns @ w
        worst = min(t + np.maximum(losses - t, 0).sum() / (0.05 * count) for t in losses)
        check.compare(f"{label} CVaR", relative([answer["risk"]["CVaR"]], [worst]), 1e-9)


def factor_parity(check, problems):
    for _ in range(problems):
        returns, path, frame = check.panel()
        factors, factor_frame = factor_panel(check, returns)
        # Factors that assets mostly load on with their own sign: else the weights add up to less than nothing, which the peer turns over.
        signs = np.sign([np.cov(factors[:, i], returns.mean(axis=1))[0, 1] for i in range(factors.shape[1])])
        factors, factor_frame = factors * signs, factor_frame * signs
        names = list(factor_frame.columns)
        shares = check.random.uniform(0.5, 2, len(names))
        shares /= shares.sum()
        with quiet():
            portfolio = rp.Portfolio(returns=frame, factors=factor_frame)
            portfolio.solvers = ["CLARABEL"]
            portfolio.assets_stats(method_mu="hist", method_cov="hist")
            portfolio.factors_stats(method_mu="hist", method_cov="hist", dict_load=dict(feature_selection="stepwise", stepwise="Forward", criterion="pvalue", threshold=0.05))
            try:
                theirs = portfolio.rp_optimization(model="FC", rm="MV", rf=0, b_f=shares.reshape(-1, 1), hist=True)
            except Exception:
                theirs = None
        label = f"factor parity k={len(names)} n={returns.shape[1]} T={len(returns)} #{check.number}"
        request = {"model": "FactorRiskParity", "risk_measure": "MV",
                   "factors": {"returns": {"dates": dates(len(returns)), "values": {name: factors[:, i].tolist() for i, name in enumerate(names)}},
                               "stepwise": "Forward", "criterion": "pvalue", "threshold": 0.05},
                   "risk_budget": {name: float(b) for name, b in zip(names, shares)}}
        answer = check.bench.optimize(path, returns, request)
        if theirs is None or "problem" in answer:
            said = answer.get("problem", {}).get("detail", "answered")
            print(f"  {label}: the peer {'has no answer' if theirs is None else 'answers'}, ours: {said[:120]}")
            if theirs is not None and "OPT-203" not in str(answer.get("problem")):
                check.refuse(label, answer)
            continue
        check.compare(label, float(np.abs(np.array(answer["weights"]) - theirs["weights"].to_numpy()).max()), 3e-4)


def schur(check, problems):
    """Schur's complement beside skfolio's."""
    from skfolio.cluster import HierarchicalClustering, LinkageMethod
    from skfolio.distance import PearsonDistance
    from skfolio.optimization import SchurComplementary
    linkages = {"ward": LinkageMethod.WARD, "single": LinkageMethod.SINGLE, "complete": LinkageMethod.COMPLETE, "average": LinkageMethod.AVERAGE}
    for _ in range(problems):
        returns, path, frame = check.panel()
        gamma, linkage = float(check.random.uniform(0, 1)), check.choice(list(linkages))
        label = f"Schur {gamma:.2f} {linkage} n={returns.shape[1]} T={len(returns)} #{check.number}"
        answer = check.answer(label, path, returns, {"model": "Schur", "risk_measure": "MV", "clustering": {"gamma": gamma, "linkage": linkage, "codependence": "pearson"}})
        if answer is None:
            continue
        with quiet():
            try:
                model = SchurComplementary(
                    gamma=gamma, distance_estimator=PearsonDistance(), hierarchical_clustering_estimator=HierarchicalClustering(linkage_method=linkages[linkage]))
                theirs = model.fit(frame).weights_
            except Exception as error:
                print(f"  the peer fails at {label}: {type(error).__name__} {str(error)[:100]}")
                continue
        check.compare(label, float(np.abs(np.array(answer["weights"]) - theirs).max()), 1e-8)
