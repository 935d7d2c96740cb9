"""Each risk measure as a cone program in cvxpy: the formulation a careful user would write, for Clarabel and HiGHS."""
import cvxpy as cp
import numpy as np

from risks import ALPHA, KAPPA, tail_levels

LINEAR = ("MAD", "GMD", "FLPM", "CVaR", "TG", "WR", "RG", "CVRG", "TGRG", "MDD", "ADD", "CDaR")


def ordered(x, coefficients, constraints):
    """An ordered weighted average with coefficients that rise from the worst return on, through T^2 rows (assignment duality)."""
    count = x.shape[0]
    a, b = cp.Variable(count), cp.Variable(count)
    constraints.append(cp.reshape(x, (count, 1), order="C") @ coefficients.reshape(1, count)
                       <= cp.reshape(a, (count, 1), order="C") @ np.ones((1, count)) + np.ones((count, 1)) @ cp.reshape(b, (1, count), order="C"))
    return cp.sum(a) + cp.sum(b)


def tail_coefficients(count, alpha):
    k = max(int(np.ceil(alpha * count - 1e-9)), 1)
    c = np.zeros(count)
    c[: k - 1] = -1 / (alpha * count)
    c[k - 1] = -1 - c[: k - 1].sum()
    return c


def gini_coefficients(count):
    i = np.arange(1, count + 1)
    return 2 * (2 * i - 1 - count) / (count * (count - 1))


def tail_gini_coefficients(count):
    return sum(f * tail_coefficients(count, a) for a, f in zip(*tail_levels()))


def cvar(loss, constraints):
    v, y = cp.Variable(), cp.Variable(loss.shape[0], nonneg=True)
    constraints.append(y >= loss - v)
    return v + cp.sum(y) / (ALPHA * loss.shape[0])


def evar(loss, constraints):
    count = loss.shape[0]
    t, z, y = cp.Variable(), cp.Variable(nonneg=True), cp.Variable(count)
    constraints += [cp.sum(y) <= z, cp.ExpCone(loss - t, z * np.ones(count), y)]
    return t + z * np.log(1 / (ALPHA * count))


def rlvar(loss, constraints):
    count, k = loss.shape[0], KAPPA
    room = ((1 / (ALPHA * count)) ** k - (1 / (ALPHA * count)) ** -k) / (2 * k)
    t, s, one = cp.Variable(), cp.Variable(nonneg=True), np.ones(count)
    omega, psi, theta, epsilon = (cp.Variable(count) for _ in range(4))
    constraints += [cp.PowCone3D(s * (1 + k) / (2 * k) * one, psi * (1 + k) / k, epsilon, 1 / (1 + k)),
                    cp.PowCone3D(omega / (1 - k), theta / k, -s / (2 * k) * one, 1 - k), loss - t + epsilon + omega <= 0]
    return t + room * s + cp.sum(psi + theta)


def risk(code, x, d, k, constraints, target=0.0):
    """The measure of x = R w; `d` is x less its mean, `k` the scale of a homogenised ratio (1 otherwise)."""
    count = x.shape[0]
    if code == "MV": return cp.norm(d) / np.sqrt(count - 1)
    if code in ("KT", "EM", "SKT", "ESM"):
        y = cp.Variable(count, nonneg=True)
        if code in ("SKT", "ESM"):
            low = cp.Variable(count, nonneg=True)
            constraints.append(low >= -d)
        else:
            low = d
        ones = np.ones(count)
        constraints.append(cp.SOC(y + k * ones, cp.vstack([2 * low, y - k * ones]), axis=0))  # y k >= low^2
        return cp.norm(y) / np.sqrt(count)
    if code == "MAD": return 2 * cp.sum(cp.pos(-d)) / count
    if code == "MSV": return cp.norm(cp.pos(-d)) / np.sqrt(count - 1)
    if code == "FLPM": return cp.sum(cp.pos(target * k - x)) / count
    if code == "SLPM": return cp.norm(cp.pos(target * k - x)) / np.sqrt(count - 1)
    if code == "GMD": return ordered(x, gini_coefficients(count), constraints)
    if code == "TG": return ordered(x, tail_gini_coefficients(count), constraints)
    if code == "TGRG": return ordered(x, tail_gini_coefficients(count), constraints) + ordered(-x, tail_gini_coefficients(count), constraints)
    if code == "CVaR": return cvar(-x, constraints)
    if code == "CVRG": return cvar(-x, constraints) + cvar(x, constraints)
    if code == "EVaR": return evar(-x, constraints)
    if code == "EVRG": return evar(-x, constraints) + evar(x, constraints)
    if code == "RLVaR": return rlvar(-x, constraints)
    if code == "RVRG": return rlvar(-x, constraints) + rlvar(x, constraints)
    if code == "WR": return cp.max(-x)
    if code == "RG": return cp.max(x) - cp.min(x)
    u = cp.Variable(count, nonneg=True)
    constraints += [u[0] >= -x[0], u[1:] >= u[:-1] - x[1:]]
    if code == "MDD": return cp.max(u)
    if code == "ADD": return cp.sum(u) / count
    if code == "UCI": return cp.norm(u) / np.sqrt(count)
    return {"CDaR": cvar, "EDaR": evar, "RLDaR": rlvar}[code](u, constraints)


def problem(kind, code, returns, rate=0.0, aversion=2.0, upper=1.0, lower=0.0, groups=(), scale=100.0):
    """The problem, its weights and its scale variable. Returns are multiplied by `scale`, which helps the solver's tolerances."""
    R = returns * scale
    count, n = R.shape
    mean = R.mean(0)
    w = cp.Variable(n)
    k = cp.Variable(nonneg=True) if kind == "Sharpe" else 1.0
    x = cp.Variable(count)
    rows = [x == R @ w, cp.sum(w) == k, w >= lower * k, w <= upper * k]
    for members, low, high in groups:
        rows += [cp.sum(w[members]) >= low * k, cp.sum(w[members]) <= high * k]
    if kind == "MaxRet":
        return cp.Problem(cp.Maximize(mean @ w), rows), w, k
    two = code in ("KT", "SKT", "EM", "ESM")
    if code == "MV" and kind != "Utility":
        # A quadratic program in the assets alone: what Clarabel solves fastest.
        if kind == "Sharpe": rows.append(mean @ w - rate * scale * k == 1)
        rows = [row for row in rows if all(v is not x for v in row.variables())]
        return cp.Problem(cp.Minimize(cp.quad_form(w, cp.psd_wrap(np.cov(R, rowvar=False)))), rows), w, k
    value = risk(code, x, x - mean @ w, k, rows, target=rate * scale if kind == "Sharpe" else 0.0)
    if kind == "Sharpe":
        rows.append(mean @ w - rate * scale * k == 1)
        return cp.Problem(cp.Minimize(value), rows), w, k
    if kind == "MinRisk":
        return cp.Problem(cp.Minimize(value), rows), w, k
    # Utility in returns, not in their multiple: risks of degree two and the variance have scale^2.
    if code == "MV":
        spread = cp.sum_squares(x - mean @ w) / (count - 1)
        return cp.Problem(cp.Maximize(mean @ w - aversion * spread / scale), rows), w, k
    return cp.Problem(cp.Maximize(mean @ w - aversion * (value / scale if two else value)), rows), w, k
