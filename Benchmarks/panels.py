"""Return panels: the real stocks of `Samples`, and larger ones from the generator beside the clone or a factor model."""
import csv
import pathlib
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent


def real_returns():
    """All daily returns of the 20 real stocks of `Samples`, T x 20."""
    with open(ROOT / "Samples/prices/sp500_20.csv") as file:
        rows = list(csv.reader(file))[1:]
    prices = np.array([[float(cell) for cell in row[1:]] for row in rows if all(row[1:])])
    return prices[1:] / prices[:-1] - 1


def synthetic(n, count, seed=1):
    """Fat-tailed returns with common factors; `../shared/data/make_synthetic.py` where it is there, else a factor model in numpy."""
    folder = next((f / "shared/data" for f in (ROOT.parent, ROOT.parent.parent) if (f / "shared/data/make_synthetic.py").exists()), None)
    if folder is not None:
        sys.path.insert(0, str(folder))
        import make_synthetic
        return make_synthetic.generate(n, count, seed)
    random = np.random.default_rng(seed)
    factors = 0.008 * random.standard_t(5, (count, 6))
    loadings = np.vstack([np.abs(random.normal(0.8, 0.3, (1, n))), random.normal(0, 0.3, (5, n))])
    own = random.uniform(0.005, 0.02, n) * random.standard_t(5, (count, n)) / np.sqrt(5 / 3)
    return np.maximum(0.0004 + 0.0001 * random.normal(size=n) + factors @ loadings + own, -0.6)


def panel(n, count):
    """The panel of a size: real where n = 20 and the stocks have so many days, synthetic otherwise."""
    if n == 20:
        real = real_returns()
        if count <= len(real): return real[-count:]
    return synthetic(n, count)
