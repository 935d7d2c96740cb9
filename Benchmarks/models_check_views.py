"""Sections of models_check.py: views and factors, worst cases, nested clusters, backtests, metrics, naive models."""
import itertools

import numpy as np
import pandas as pd
import riskfolio as rp
from riskfolio.src import ParamsEstimation as estimation
from riskfolio.src import RiskFunctions as risks
from scipy.stats import chi2

from models_check_base import RISK, quiet, relative


def moments(check, path, returns, request):
    return check.bench.ask(do="moments", panel=str(path), observations=len(returns), columns=returns.shape[1], request=request)


def dates(count):
    """The dates of SolverBench's panels: weekdays from 1970-01-01 on."""
    return [str(day.date()) for day in pd.bdate_range("1970-01-01", periods=count)]


def random_views(check, columns, level):
    """P, Q and the same as our items: absolute and relative ones."""
    n, random = len(columns), check.random
    rows, items = [], []
    for _ in range(int(random.integers(1, 4))):
        row = np.zeros(n)
        one, other = random.choice(n, 2, replace=False)
        row[one] = 1
        if random.integers(0, 2):
            row[other] = -1
        rows.append(row)
        items.append({"weights": {columns[i]: float(row[i]) for i in np.flatnonzero(row)}, "return": float(random.normal(0, level))})
    return np.array(rows), np.array([[item["return"]] for item in items]), items


def black_litterman(check, problems):
    for _ in range(problems):
        returns, path, frame = check.panel()
        columns = list(frame.columns)
        P, Q, items = random_views(check, columns, 0.001)
        rate = float(check.choice([0.0, 0.00005]))
        equilibrium = bool(check.random.integers(0, 2))
        prior = check.random.uniform(0.2, 2, len(columns))
        prior /= prior.sum()
        delta = float(check.random.uniform(1, 5)) if check.random.integers(0, 2) else None
        views = {"items": items, "risk_free_rate": 252 * rate, "equilibrium": equilibrium, "prior_weights": dict(zip(columns, prior.tolist()))}
        if delta:
            views["risk_aversion"] = delta
        answer = moments(check, path, returns, {"model": "BL", "views": views})
        label = f"BL rf={rate} eq={equilibrium} delta={delta} #{check.number}"
        if "problem" in answer:
            if delta is None and "OPT" in str(answer["problem"].get("code")):
                continue
            check.refuse(label, answer)
            continue
        implied = delta or ((frame.mean().to_numpy() @ prior - rate) / (prior @ frame.cov().to_numpy() @ prior)).item()
        if delta is None and implied <= 0:
            continue
        with quiet():
            mu, cov, _ = estimation.black_litterman(
                X=frame, w=pd.DataFrame(prior, index=columns), P=P, Q=Q, delta=implied, rf=rate, eq=equilibrium, method_mu="hist", method_cov="hist")
        check.compare(label + " mean", relative(answer["mean"], np.ravel(mu)), 1e-8)
        check.compare(label + " covariance", relative(answer["covariance"], cov.to_numpy()), 1e-8)


def factor_panel(check, returns):
    """Some factors that the returns were not made with alone: three portfolios and noise."""
    count, n = returns.shape
    k = int(check.random.integers(2, 6))
    factors = returns @ check.random.normal(0, 1 / np.sqrt(n), (n, k)) + check.random.normal(0, 0.004, (count, k))
    return factors, pd.DataFrame(factors, columns=[f"F{i}" for i in range(k)], index=pd.bdate_range("2020-01-01", periods=count))


def factors(check, problems):
    for _ in range(problems):
        returns, path, frame = check.panel()
        values, factor_frame = factor_panel(check, returns)
        wanted = {"returns": {"dates": dates(len(returns)), "values": {f"F{i}": values[:, i].tolist() for i in range(values.shape[1])}}, "scenarios": "model"}
        if check.random.integers(0, 4) == 0:
            share = float(check.choice([0.8, 0.9, 0.95]))
            wanted.update({"feature_selection": "PCR", "n_components": share})
            options = {"feature_selection": "PCR", "n_components": share}
        else:
            direction = check.choice(["Forward", "Backward"])
            criterion = check.choice(["pvalue", "AIC", "SIC", "R2", "R2_A"])
            threshold = float(check.choice([0.01, 0.05, 0.2]))
            wanted.update({"stepwise": direction, "criterion": criterion, "threshold": threshold})
            options = {"feature_selection": "stepwise", "stepwise": direction, "criterion": criterion, "threshold": threshold}
        label = f"FM {options} k={values.shape[1]} #{check.number}"
        answer = moments(check, path, returns, {"model": "FM", "factors": wanted})
        if "problem" in answer:
            check.refuse(label, answer)
            continue
        with quiet():
            B = estimation.loadings_matrix(X=factor_frame, Y=frame, **options)
        loadings = B.drop(columns="const", errors="ignore").reindex(columns=factor_frame.columns, fill_value=0).to_numpy()
        const = B["const"].to_numpy() if "const" in B else np.zeros(len(B))
        residuals = returns - const - values @ loadings.T
        mean = const + loadings @ values.mean(axis=0)
        covariance = loadings @ np.cov(values.T).reshape(values.shape[1], -1) @ loadings.T + np.diag(residuals.var(axis=0, ddof=1))
        check.compare(label + " mean", relative(answer["mean"], mean), 1e-8)
        check.compare(label + " covariance", relative(answer["covariance"], covariance), 1e-8)


def factor_views(check, problems):
    for _ in range(problems):
        returns, path, frame = check.panel()
        values, factor_frame = factor_panel(check, returns)
        columns = list(frame.columns)
        request = {"model": "BL_FM", "factors": {
            "returns": {"dates": dates(len(returns)), "values": {f"F{i}": values[:, i].tolist() for i in range(values.shape[1])}},
            "feature_selection": "stepwise"}}
        with quiet():
            B = estimation.loadings_matrix(X=factor_frame, Y=frame, feature_selection="stepwise", stepwise="Forward", criterion="pvalue", threshold=0.05)
        if "const" not in B:
            continue
        B = B.reindex(columns=["const"] + list(factor_frame.columns), fill_value=0.0)
        flavor = check.choice(["BLB", "ABL"])
        P_f, Q_f, items = random_views(check, list(factor_frame.columns), 0.0005)
        delta = float(check.random.uniform(1, 4))
        label = f"BL_FM {flavor} k={values.shape[1]} #{check.number}"
        if flavor == "BLB":
            with quiet():
                mu, cov, _ = estimation.black_litterman_bayesian(X=frame, F=factor_frame, B=B, P_f=P_f, Q_f=Q_f, delta=delta, rf=0, const=True)
        else:
            P, Q, more = random_views(check, columns, 0.0005)
            items = items + more
            with quiet():
                mu, cov, _ = estimation.augmented_black_litterman(
                    X=frame, w=pd.DataFrame(np.full(len(columns), 1 / len(columns)), index=columns), F=factor_frame, B=B, P=P, Q=Q, P_f=P_f, Q_f=Q_f,
                    delta=delta, rf=0, eq=True, const=True)
        request["views"] = {"items": items, "flavor": flavor, "risk_aversion": delta}
        answer = moments(check, path, returns, request)
        if "problem" in answer:
            check.refuse(label, answer)
            continue
        check.compare(label + " mean", relative(answer["mean"], np.ravel(mu)), 1e-7)
        check.compare(label + " covariance", relative(answer["covariance"], np.asarray(cov)), 1e-7)


def entropy(check, problems):
    from skfolio.prior import EntropyPooling
    for _ in range(problems):
        returns, path, frame = check.panel()
        names = list(frame.columns)
        means, spreads = returns.mean(axis=0), returns.std(axis=0)
        texts, options = [], {}

        def add(kind, ours, theirs=None):
            texts.append(ours)
            options.setdefault(kind, []).append(theirs or ours)

        a, b, c = check.random.choice(len(names), 3, replace=False)
        kind = check.choice(["mean", "ranking", "relative", "variance", "correlation", "skew", "kurtosis", "CVaR", "VaR", "mixed"])
        shift = float(check.random.uniform(-0.15, 0.15))
        if kind in ("mean", "mixed"):
            add("mean_views", f"{names[a]} == {means[a] + shift * spreads[a]:.8f}")
        if kind == "relative":
            level = f"{means[a] - means[b] + shift * spreads[a]:.8f}"
            add("mean_views", f"{names[a]} - {names[b]} >= {level}")
        if kind == "ranking":
            add("mean_views", f"{names[a]} >= {names[b]}")
            add("mean_views", f"{names[b]} >= {names[c]}")
        if kind in ("variance", "mixed"):
            level = (1 + abs(shift)) * spreads[b] ** 2
            add("variance_views", f"variance({names[b]}) == {level:.10f}", f"{names[b]} == {level:.10f}")
        if kind in ("correlation", "mixed"):
            level = float(np.corrcoef(returns[:, a], returns[:, c])[0, 1]) * 0.8
            add("correlation_views", f"corr({names[a]}, {names[c]}) == {level:.6f}", f"({names[a]},{names[c]}) == {level:.6f}")
        if kind in ("skew", "kurtosis"):
            z = (returns[:, a] - means[a]) / spreads[a]
            level = (z ** 3).mean() - 0.2 if kind == "skew" else (z ** 4).mean() * 0.9
            add(f"{kind}_views", f"{kind}({names[a]}) == {level:.6f}", f"{names[a]} == {level:.6f}")
        if kind in ("CVaR", "VaR"):
            x = np.sort(returns[:, a])
            level = -(x[: max(1, len(x) // 20)].mean() if kind == "CVaR" else x[len(x) // 20]) * 1.1
            add("cvar_views" if kind == "CVaR" else "value_at_risk_views", f"{kind}({names[a]}) == {level:.8f}", f"{names[a]} == {level:.8f}")
        label = f"EP {kind} n={len(names)} T={len(returns)} #{check.number}"
        answer = moments(check, path, returns, {"model": "EP", "alpha": 0.05, "views": {"items": texts}})
        if "problem" in answer:
            check.refuse(label + f" {texts}", answer)
            continue
        try:
            with quiet():
                model = EntropyPooling(**options).fit(frame)
        except Exception as error:
            print(f"  the peer fails at {label}: {type(error).__name__}")
            continue
        q = np.asarray(model.return_distribution_.sample_weight)
        mean = q @ returns
        covariance = (returns - mean).T @ ((returns - mean) * q[:, None])
        scale = np.sqrt(np.diag(covariance))
        # The peer's solver ends at its own tolerance, and its levels of tails are on a grid.
        tolerance = 1e-4 if kind in ("mean", "ranking", "relative") else 2e-3
        check.compare(label + " mean", float(np.abs((np.array(answer["mean"]) - mean) / scale).max()), tolerance)
        check.compare(label + " covariance", float(np.abs((np.array(answer["covariance"]) - covariance) / np.outer(scale, scale)).max()), tolerance)


def opinions(check, problems):
    """Two experts, pooled linearly and by logarithms: beside numpy, from each expert's own probabilities."""
    for _ in range(problems):
        returns, path, frame = check.panel()
        names, means, spreads = list(frame.columns), returns.mean(axis=0), returns.std(axis=0)
        shares = check.random.uniform(0.2, 0.45, 2)
        pooling = check.choice(["linear", "log"])
        targets, experts = [], []
        for share in shares:
            a = int(check.random.integers(0, len(names)))
            level = means[a] + 0.1 * spreads[a]
            experts.append({"items": [f"{names[a]} == {level:.10f}"], "probability": float(share)})
            targets.append((a, float(f"{level:.10f}")))
        answer = moments(check, path, returns, {"model": "EP", "views": {"opinions": experts, "pooling": pooling}})
        label = f"opinions {pooling} #{check.number}"
        if "problem" in answer:
            check.refuse(label, answer)
            continue
        probabilities = [tilted(returns[:, a], level) for a, level in targets]
        uniform = np.full(len(returns), 1 / len(returns))
        rest = 1 - shares.sum()
        if pooling == "linear":
            pool = rest * uniform + sum(s * q for s, q in zip(shares, probabilities))
        else:
            pool = np.exp(rest * np.log(uniform) + sum(s * np.log(q) for s, q in zip(shares, probabilities)))
            pool /= pool.sum()
        check.compare(label, relative(answer["mean"], pool @ returns), 1e-7)


def tilted(x, level):
    """Probabilities proportional to exp(l x) with the mean wanted, by Newton's method."""
    z, target, lam = x / x.std(), level / x.std(), 0.0
    for _ in range(200):
        q = np.exp(lam * z - (lam * z).max())
        q /= q.sum()
        miss = q @ z - target
        if abs(miss) < 1e-15:
            break
        lam -= miss / (q @ (z - q @ z) ** 2)
    return q


def worst(check, problems):
    for _ in range(problems):
        returns, path, frame = check.panel()
        count, n = returns.shape
        if n > 14:
            returns, n = np.ascontiguousarray(returns[:, :14]), 14
            path = check.folder / f"part{check.number}.f64"
            returns.astype("<f8").tofile(path)
            frame = frame.iloc[:, :14]
        of_mean, of_covariance = check.choice(["box", "ellipsoid", "none"]), check.choice(["box", "ellipsoid", "none"])
        objective = check.choice(["MinRisk", "Utility", "Sharpe"])
        if objective == "Sharpe" and of_covariance != "none":
            objective = "Utility"  # the peer divides by the variance
        shares = check.random.uniform(0.02, 0.3, 2)
        sets = {
            "mean": {"set": of_mean, "method": "delta" if of_mean == "box" else "normal", "q": 0.05},
            "covariance": {"set": of_covariance, "method": "delta" if of_covariance == "box" else "normal", "q": 0.05}}
        if of_mean == "box":
            sets["mean"]["delta"] = float(shares[0])
        if of_covariance == "box":
            sets["covariance"]["delta"] = float(shares[1])
        for part in sets.values():
            if part["set"] == "none":
                part.clear()
                part["set"] = "none"
        mean, sigma = returns.mean(axis=0), np.cov(returns.T)
        # Portfolios that have something to gain in a worst case.
        rate = float(mean.min() - 0.003) if objective == "Sharpe" else 0.0
        request = {"model": "WorstCase", "objective": objective, "risk_aversion": 3.0, "risk_free_rate": 252 * rate, "uncertainty": sets}
        label = f"worst {of_mean}/{of_covariance} {objective} n={n} T={count} #{check.number}"
        answer = check.answer(label, path, returns, request)
        if answer is None:
            continue
        variances = (np.outer(np.diag(sigma), np.diag(sigma)) + sigma ** 2) / count
        k_mean, k_covariance = np.sqrt(chi2.ppf(0.95, n)), np.sqrt(chi2.ppf(0.95, n * (n + 1) / 2))
        with quiet():
            portfolio = rp.Portfolio(returns=frame)
            portfolio.solvers = ["CLARABEL"]
            portfolio.assets_stats(method_mu="hist", method_cov="hist")
            portfolio.d_mu = pd.DataFrame(shares[0] * np.abs(mean)[None, :], columns=frame.columns)
            portfolio.cov_l = pd.DataFrame(sigma - shares[1] * np.abs(sigma), index=frame.columns, columns=frame.columns)
            portfolio.cov_u = pd.DataFrame(sigma + shares[1] * np.abs(sigma), index=frame.columns, columns=frame.columns)
            portfolio.cov_mu = pd.DataFrame(np.diag(np.diag(sigma)) / count, index=frame.columns, columns=frame.columns)
            portfolio.cov_sigma = pd.DataFrame(np.diag(variances.ravel(order="F")))
            portfolio.k_mu, portfolio.k_sigma = k_mean, k_covariance
            code = {"box": "box", "ellipsoid": "ellip", "none": None}
            try:
                theirs = portfolio.wc_optimization(obj=objective, rf=rate, l=3.0, Umu=code[of_mean], Ucov=code[of_covariance])
            except Exception as error:
                theirs, failure = None, error
        if theirs is None:
            print(f"  the peer has no answer at {label}")
            continue

        def value(w):
            reward = mean @ w
            if of_mean == "box":
                reward -= shares[0] * np.abs(mean) @ np.abs(w)
            elif of_mean == "ellipsoid":
                reward -= k_mean * np.sqrt(w @ np.diag(np.diag(sigma)) @ w / count)
            variance = w @ sigma @ w
            if of_covariance == "box":
                variance = w @ (sigma + shares[1] * np.abs(sigma)) @ w
            elif of_covariance == "ellipsoid":
                variance += k_covariance * np.sqrt((np.outer(w, w) ** 2 * variances).sum())
            return {"MinRisk": variance, "Utility": -(reward - 3 * variance), "Sharpe": -(reward - rate) / np.sqrt(variance)}[objective]

        own, other = value(np.array(answer["weights"])), value(theirs["weights"].to_numpy())
        size = max(abs(other), 1e-6)
        check.compare(label, (own - other) / size, 1e-7)
        # The peer's ellipsoid needs a semidefinite program, which its solver ends early.
        check.compare(label + " is much better", (other - own) / size, 1e-3)


def nested(check, problems):
    for _ in range(problems):
        returns, path, frame = check.panel()
        objective, linkage = check.choice(["MinRisk", "Utility", "Sharpe", "ERC"]), check.choice(["single", "ward", "average", "DBHT"])
        k = int(check.random.integers(2, 5))
        clustering = {"objective": objective, "linkage": linkage, "k": k, "max_k": 10}
        label = f"NCO {objective} {linkage} k={k} n={returns.shape[1]} T={len(returns)} #{check.number}"
        answer = check.bench.optimize(path, returns, {"model": "NCO", "risk_measure": "MV", "risk_aversion": 2, "clustering": clustering})
        with quiet():
            try:
                theirs = rp.HCPortfolio(returns=frame).optimization(
                    model="NCO", obj=objective, rm="MV", rf=0, l=2, linkage=linkage, k=k, max_k=10, leaf_order=True, method_mu="hist", method_cov="hist")
            except Exception:
                theirs = None
        if theirs is None:
            print(f"  the peer has no answer at {label}: ours {'refused' if 'problem' in answer else 'answered'}")
            continue
        if "problem" in answer:
            # A cluster in which nothing beats the rate has no ratio; the peer takes one of negative ones.
            if objective == "Sharpe" and "OPT-203" in str(answer["problem"]):
                continue
            check.refuse(label, answer)
            continue
        check.compare(label, float(np.abs(np.array(answer["weights"]) - theirs["weights"].to_numpy()).max()), 2e-4)


def backtests(check, problems):
    """Walk-forwards beside a plain loop in numpy (costs, drift, purge, expanding windows), purged folds beside skfolio's."""
    from skfolio.model_selection import CombinatorialPurgedCV
    for _ in range(problems):
        returns, path, frame = check.panel()
        count, n = returns.shape
        train, every = int(check.random.integers(40, 80)), int(check.random.integers(7, 30))
        purge = int(check.random.integers(0, 4))
        drift, window = bool(check.random.integers(0, 2)), check.choice(["rolling", "expanding"])
        cost = float(check.choice([0, 0.001, 0.01]))
        wanted = {"train": train, "rebalance": every, "purge": purge, "drift": drift, "window": window, "cost": cost}
        request = {"model": "InverseVariance", "backtest": wanted}
        order = dict(do="backtest", panel=str(path), observations=count, columns=n)
        answer = check.bench.ask(request=request, **order)
        label = f"walk-forward {wanted} T={count} n={n} #{check.number}"
        if "returns" not in answer:
            check.refuse(label, answer)
        else:
            series, held, start = [], np.zeros(n), train + purge
            while start < count:
                end = start - purge
                seen = returns[(0 if window == "expanding" else end - train):end]
                weights = 1 / seen.var(axis=0, ddof=1)
                weights /= weights.sum()
                paid = cost * np.abs(weights - held).sum()
                held = weights
                for t in range(start, min(start + every, count)):
                    earned = held @ returns[t]
                    series.append((1 - paid) * (1 + earned) - 1)
                    paid = 0
                    if drift:
                        held = held * (1 + returns[t]) / (1 + earned)
                start += every
            if len(series) != len(answer["returns"]):
                check.compare(label + f": {len(series)} periods, not {len(answer['returns'])}", 1, 0)
            else:
                check.compare(label, relative(answer["returns"], series), 1e-10)
        folds, test_folds = int(check.random.integers(4, 8)), int(check.random.integers(2, 4))
        purge, embargo = int(check.random.integers(0, 4)), int(check.random.integers(0, 4))
        request = {"model": "InverseVariance", "backtest": {
            "method": "combinatorial_purged", "folds": folds, "test_folds": test_folds, "purge": purge, "embargo": embargo, "drift": False}}
        answer = check.bench.ask(request=request, **order)
        label = f"purged folds {request['backtest']} T={count} #{check.number}"
        if "returns" not in answer:
            check.refuse(label, answer)
            continue
        splits = CombinatorialPurgedCV(n_folds=folds, n_test_folds=test_folds, purged_size=purge, embargo_size=embargo)
        theirs = []
        for seen, _ in splits.split(returns):
            weights = 1 / returns[seen].var(axis=0, ddof=1)
            theirs.append(weights / weights.sum())
        # The order of the choices is each library's own.
        if len(theirs) != len(answer["weights"]):
            check.compare(label + f": {len(theirs)} fits, not {len(answer['weights'])}", 1, 0)
            continue
        check.compare(label, relative(sorted(map(tuple, answer["weights"])), sorted(map(tuple, theirs))), 1e-10)


def metrics(check, problems):
    from skfolio import Portfolio
    for _ in range(problems):
        returns, path, frame = check.panel()
        count, n = returns.shape
        w = check.random.uniform(0, 1, n)
        w /= w.sum()
        b = check.random.uniform(0, 1, n)
        b /= b.sum()
        names = list(frame.columns)
        half = n // 2
        request = {
            "weights": dict(zip(names, w.tolist())), "benchmark": dict(zip(names, b.tolist())), "alpha": 0.05,
            "groups": {"one": names[:half], "two": names[half:]}}
        order = dict(do="metrics", panel=str(path), observations=count, columns=n)
        answer = check.bench.ask(request=request, **order)
        label = f"metrics n={n} T={count} #{check.number}"
        if "risk" not in answer:
            check.refuse(label, answer)
            continue
        x = returns @ w
        column = x.reshape(-1, 1)
        known = {
            **RISK, "VaR": lambda x: risks.VaR_Hist(x, 0.05), "DaR": lambda x: risks.DaR_Abs(x, 0.05), "VRG": lambda x: risks.VRG(x, 0.05),
            "TGRG": lambda x: risks.TGRG(x, 0.05), "MDD_Rel": risks.MDD_Rel, "ADD_Rel": risks.ADD_Rel, "UCI_Rel": risks.UCI_Rel,
            "DaR_Rel": lambda x: risks.DaR_Rel(x, 0.05), "CDaR_Rel": lambda x: risks.CDaR_Rel(x, 0.05)}
        for code, function in known.items():
            with quiet():
                theirs = float(np.squeeze(function(column)))
            check.compare(f"{label} {code}", abs(answer["risk"][code] - theirs) / max(abs(theirs), 1e-12), 1e-5 if code.startswith("EVaR") else 1e-9)
        # Contributions beside the peer's finite differences, where the measure is smooth.
        with quiet():
            theirs = rp.Risk_Contribution(pd.DataFrame(w, index=names), frame, frame.cov(), rm="MV", rf=0)
        check.compare(f"{label} contributions", relative([answer["risk_contributions"]["MV"][a] for a in names], np.ravel(theirs)), 1e-5)
        segments = {"one": slice(0, half), "two": slice(half, n)}
        growth = (1 + returns).prod(axis=0) - 1
        for name, part in segments.items():
            wp, wb = w[part].sum(), b[part].sum()
            rp_, rb = (w[part] @ growth[part]) / wp, (b[part] @ growth[part]) / wb
            found = answer["brinson"]["classes"][name]
            whole = b @ growth
            check.compare(f"{label} allocation {name}", abs(found["allocation"] - (wp - wb) * (rb - whole)), 1e-9)
            check.compare(f"{label} selection {name}", abs(found["selection"] - wb * (rp_ - rb)), 1e-9)
            check.compare(f"{label} interaction {name}", abs(found["interaction"] - (wp - wb) * (rp_ - rb)), 1e-9)
        # The Sharpe ratio's inference by its formula.
        m, s = x.mean(), x.std(ddof=1)
        z = (x - m) / x.std(ddof=0)
        ratio, skew, kurtosis = m / s, (z ** 3).mean(), (z ** 4).mean()
        from scipy.stats import norm
        spread = np.sqrt((1 - skew * ratio + (kurtosis - 1) / 4 * ratio ** 2) / (count - 1))
        check.compare(f"{label} probabilistic", abs(answer["sharpe"]["probabilistic"] - norm.cdf(ratio / spread)), 1e-9)
        drawdown = 1 - np.cumprod(1 + x) / np.maximum.accumulate(np.maximum(np.cumprod(1 + x), 1))
        deepest = answer["drawdowns"][0]["depth"]
        check.compare(f"{label} deepest", abs(abs(deepest) - drawdown.max()), 1e-10)
        answer = check.bench.ask(request={**request, "convention": "skfolio"}, **order)
        with quiet():
            theirs = Portfolio(X=frame, weights=w, annualized_factor=252)
        for code, name in [("MV", "standard_deviation"), ("MAD", "mean_absolute_deviation"), ("CVaR", "cvar"), ("VaR", "value_at_risk"), ("MSV", "semi_deviation"),
                           ("FLPM", "first_lower_partial_moment"), ("CDaR", "cdar"), ("MDD", "max_drawdown"), ("ADD", "average_drawdown"),
                           ("UCI", "ulcer_index"), ("DaR", "drawdown_at_risk"), ("GMD", "gini_mean_difference"), ("WR", "worst_realization"), ("EVaR", "evar")]:
            other = float(getattr(theirs, name))
            check.compare(f"{label} skfolio {code}", abs(answer["risk"][code] - other) / max(abs(other), 1e-12), 1e-5 if code.startswith("EVaR") else 1e-9)


def naive(check, problems):
    from skfolio.optimization import BenchmarkTracker, DistributionallyRobustCVaR, MaximumDiversification
    for _ in range(problems):
        returns, path, frame = check.panel()
        count, n = returns.shape
        sigma = np.cov(returns.T)
        names = list(frame.columns)
        upper = float(check.choice([1.0, 0.3]))
        constraints = {"upper_bound": upper}
        label = f"n={n} T={count} upper={upper} #{check.number}"

        answer = check.answer("MaxDiversification " + label, path, returns, {"model": "MaxDiversification", "constraints": constraints})
        with quiet():
            theirs = MaximumDiversification(max_weights=upper).fit(frame).weights_
        if answer:
            ratio = lambda w: w @ np.sqrt(np.diag(sigma)) / np.sqrt(w @ sigma @ w)
            own, other = ratio(np.array(answer["weights"])), ratio(theirs)
            check.compare("MaxDiversification " + label, (other - own) / other, 1e-8)
            check.compare("MaxDiversification is much better " + label, (own - other) / other, 1e-4)

        benchmark = returns @ check.random.dirichlet(np.ones(n)) + check.random.normal(0, 0.002, count)
        request = {"model": "Tracking", "constraints": {**constraints, "benchmark_returns": benchmark.tolist()}}
        answer = check.answer("Tracking " + label, path, returns, request)
        with quiet():
            theirs = BenchmarkTracker(max_weights=upper).fit(frame, pd.Series(benchmark, index=frame.index)).weights_
        if answer:
            error = lambda w: np.sqrt(((returns @ w - benchmark) ** 2).sum() / (count - 1))
            own, other = error(np.array(answer["weights"])), error(theirs)
            check.compare("Tracking " + label, (own - other) / other, 1e-8)

        radius = float(check.choice([0.0002, 0.001]))
        request = {"model": "WorstCase", "risk_measure": "CVaR", "objective": "Utility", "risk_aversion": 1.0,
                   "uncertainty": {"wasserstein_radius": radius}, "constraints": constraints}
        answer = check.answer("Wasserstein " + label, path, returns, request)
        with quiet():
            try:
                theirs = DistributionallyRobustCVaR(max_weights=upper, wasserstein_ball_radius=radius, risk_aversion=1.0).fit(frame).weights_
            except Exception:
                theirs = None
        if answer and theirs is not None:
            def value(w):
                x = np.sort(returns @ w)
                k = 0.05 * count
                whole = int(np.floor(k + 1e-9))
                tail = -(x[:whole].sum() + (k - whole) * (x[whole] if whole < count else 0)) / k
                return x.mean() - radius * np.abs(w).max() - tail - radius / 0.05 * np.abs(w).max()
            own, other = value(np.array(answer["weights"])), value(theirs)
            check.compare("Wasserstein " + label, (other - own) / abs(other), 1e-7)

        if n <= 12:
            # Neighbourhoods of the network, by trying all choices of assets.
            answer = check.answer("network " + label, path, returns, {
                "objective": "MinRisk", "constraints": {"network": {"graph": "MST", "walk_size": 1, "max": 1}}})
            if answer:
                with quiet():
                    adjacency = np.asarray(rp.connection_matrix(frame, codependence="pearson", graph="MST", walk_size=1)) + np.eye(n)
                best = np.inf
                for chosen in itertools.product([0, 1], repeat=n):
                    e = np.array(chosen)
                    if not e.any() or (adjacency @ e > 1).any():
                        continue
                    best = min(best, least_variance(sigma, np.flatnonzero(e)))
                own = np.array(answer["weights"]) @ sigma @ np.array(answer["weights"])
                check.compare("network " + label, abs(own - best) / best, 1e-6)


def least_variance(sigma, kept):
    """Long only, by the active set: small."""
    kept = list(kept)
    while True:
        part = np.linalg.solve(sigma[np.ix_(kept, kept)], np.ones(len(kept)))
        if part.min() >= 0:
            return 1 / part.sum()
        kept.pop(int(part.argmin()))


def moments_of_four(check, problems):
    for _ in range(problems):
        returns, path, frame = check.panel()
        returns = np.ascontiguousarray(returns[:, :6])
        path = check.folder / f"four{check.number}.f64"
        returns.astype("<f8").tofile(path)
        frame = frame.iloc[:, :6]
        aversion = check.random.uniform(0.5, 4, 3)
        # More weight on skewness has no convex objective, and is refused.
        aversion[1] = min(aversion[1], 1.6 * np.sqrt(aversion[0] * aversion[2]))
        request = {"model": "MVSK", "objective": "MinRisk", "moment_aversion": dict(zip(["variance", "skewness", "kurtosis"], aversion.tolist()))}
        label = f"MVSK n=6 T={len(returns)} #{check.number}"
        answer = check.answer(label, path, returns, request)
        if answer is None:
            continue

        def value(w):
            d = returns @ w
            d = d - d.mean()
            return aversion[0] * (d ** 2).sum() / (len(d) - 1) - aversion[1] * (d ** 3).mean() + aversion[2] * (d ** 4).mean()

        own = value(np.array(answer["weights"]))
        best = own
        for _ in range(400):
            w = check.random.dirichlet(np.ones(6) * 0.7)
            best = min(best, value(w))
            w = 0.97 * np.array(answer["weights"]) + 0.03 * w
            best = min(best, value(w))
        check.compare(label, (own - best) / abs(best), 1e-9)
