"""Risk measures of a series of returns in numpy, from their definitions: what both sides of a comparison are judged by."""
import numpy as np
from scipy.optimize import brentq

ALPHA, A_SIM, KAPPA, POWER = 0.05, 100, 0.3, 2
DEGREE_TWO = ("KT", "SKT", "EM", "ESM")


def tail(x, alpha=ALPHA):
    """CVaR with its fractional observation."""
    order, k = np.sort(x), max(int(np.ceil(alpha * len(x) - 1e-9)), 1)
    return -order[k - 1] + (order[k - 1] - order[:k]).sum() / (alpha * len(x))


def tail_levels(alpha=ALPHA, count=A_SIM):
    """Levels and factors of the discretised Tail Gini."""
    level = np.linspace(0.0001, alpha, count)
    factor = np.empty(count)
    factor[0] = level[1] * level[0] / alpha**2
    factor[1:-1] = (level[2:] - level[:-2]) * level[1:-1] / alpha**2
    factor[-1] = (level[-1] - level[-2]) / alpha
    return level, factor


def entropic(x, alpha=ALPHA):
    """min over z > 0 of z ln(mean exp(-x/z) / alpha); the derivative rises in z."""
    loss = -x - np.max(-x)
    spread = -loss.min()
    if spread == 0:
        return -x[0]

    def parts(s):
        z = np.exp(s)
        e = np.exp(loss / z)
        return z * np.log(e.mean() / alpha), np.log(e.mean() / alpha) - (e * loss / z).mean() / e.mean()

    low, high = np.log(spread) - 30, np.log(spread) + 30
    if parts(low)[1] >= 0:
        return -x.min()
    return parts(brentq(lambda s: parts(s)[1], low, high, xtol=1e-14))[0] - x.min()


def relativistic(x, alpha=ALPHA, kappa=KAPPA):
    """max -q.x over q >= 0, sum q = 1, sum (q^(1+k) - q^(1-k)) / 2k <= ln_k(1/(alpha T)), by its dual."""
    count, scale = len(x), np.ptp(x)
    if scale == 0:
        return -x[0]
    loss = -x / scale
    deformed = lambda u: (u**kappa - u**-kappa) / (2 * kappa)
    room = deformed(1 / (alpha * count))

    def inner(z):
        """t with sum q = 1, from the left: the sum is convex and falls in t, so Newton's steps do not overshoot."""
        low, high, t = loss.min() - 10 * z * count - 10, loss.max() + 10 * z * count + 10, loss.max()
        for _ in range(200):
            y = kappa * (loss - t) / z
            root = np.sqrt(y * y + 1 - kappa * kappa)
            q = (np.where(y >= 0, (y + root) / (1 + kappa), (1 - kappa) / np.maximum(root - y, 1e-300))) ** (1 / kappa)
            low, high = (t, high) if q.sum() > 1 else (low, t)
            if abs(q.sum() - 1) < 1e-14 or high - low < 1e-16 * max(1, abs(t)):
                break
            step = t + (q.sum() - 1) / (q / (z * root)).sum()
            t = step if low < step < high else (low + high) / 2
        return t, q

    excess = lambda s: (lambda q: (q * deformed(q)).sum() - room)(inner(np.exp(s))[1])
    if excess(np.log(1e-7)) <= 0:
        return -x.min()  # as many tied worst returns as the entropy allows share the whole weight
    z = np.exp(brentq(excess, np.log(1e-7), np.log(1e5), xtol=1e-13))
    t, q = inner(z)
    return scale * (t + z * room + (q * (loss - t) - z * q * deformed(q)).sum())


def drawdowns(x):
    worth = np.concatenate([[0], np.cumsum(x)])
    return (np.maximum.accumulate(worth) - worth)[1:]


def risk(code, x, target=0.0):
    """The measure `code` of the T returns `x`, with the default parameters."""
    d, count = x - x.mean(), len(x)
    low = np.minimum(d, 0)
    if code == "MV": return np.sqrt(d @ d / (count - 1))
    if code in ("KT", "EM"): return np.sqrt(np.mean(d**4))
    if code in ("SKT", "ESM"): return np.sqrt(np.mean(low**4))
    if code == "MAD": return np.abs(d).mean()
    if code == "MSV": return np.sqrt(low @ low / (count - 1))
    if code == "GMD":
        i = np.arange(1, count + 1)
        return float(np.sort(x) @ (2 * (2 * i - 1 - count) / (count * (count - 1))))
    if code == "FLPM": return np.maximum(target - x, 0).mean()
    if code == "SLPM": return np.sqrt((np.maximum(target - x, 0) ** 2).sum() / (count - 1))
    if code == "CVaR": return tail(x)
    if code == "TG": return sum(f * tail(x, a) for a, f in zip(*tail_levels()))
    if code == "EVaR": return entropic(x)
    if code == "RLVaR": return relativistic(x)
    if code == "WR": return -x.min()
    if code in ("RG", "CVRG", "TGRG", "EVRG", "RVRG"):
        one = {"RG": "WR", "CVRG": "CVaR", "TGRG": "TG", "EVRG": "EVaR", "RVRG": "RLVaR"}[code]
        return risk(one, x) + risk(one, -x)
    u = drawdowns(x)
    if code == "MDD": return u.max()
    if code == "ADD": return u.mean()
    if code == "UCI": return np.sqrt(np.mean(u**2))
    return risk({"CDaR": "CVaR", "EDaR": "EVaR", "RLDaR": "RLVaR"}[code], -u)


MEASURES = ("MV KT EM MAD GMD MSV SKT ESM FLPM SLPM CVaR TG EVaR RLVaR WR RG CVRG TGRG EVRG RVRG "
            "MDD ADD UCI CDaR EDaR RLDaR").split()


def objective(kind, code, weights, returns, rate=0.0, aversion=2.0):
    """The objective per period in its natural sense, and +1 if more is better."""
    x = returns @ weights
    if kind == "MaxRet": return x.mean(), 1
    value = risk(code, x, rate if kind == "Sharpe" else 0.0)
    if kind == "MinRisk": return value, -1
    if kind == "Utility": return x.mean() - aversion * (value**2 if code == "MV" else value), 1
    return (x.mean() - rate) / value, 1
