"""What the sections of models_check.py share: universes, comparisons, the peers' risk functions."""
import contextlib
import io
import pathlib
import warnings

import numpy as np
import pandas as pd
from riskfolio.src import RiskFunctions as risks


def universe(random):
    """Returns with factors, fat tails and clusters; n and T at random."""
    n, count = int(random.integers(6, 26)), int(random.integers(120, 500))
    factors = random.standard_t(4, (count, 4)) * 0.009
    loadings = np.vstack([random.uniform(0.4, 1.3, n), random.normal(0, 0.7, (3, n)) * random.integers(0, 2, (3, n))])
    returns = 0.0005 + factors @ loadings + random.standard_t(5, (count, n)) * random.uniform(0.008, 0.02, n)
    return np.clip(returns, -0.5, None)


@contextlib.contextmanager
def quiet():
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


class Check:
    def __init__(self, bench, folder, random):
        self.bench, self.folder, self.random = bench, pathlib.Path(folder), random
        self.number, self.worst, self.count, self.faults = 0, 0.0, 0, 0

    def panel(self):
        self.number += 1
        returns = universe(self.random)
        path = self.folder / f"panel{self.number}.f64"
        returns.astype("<f8").tofile(path)
        return returns, path, pd.DataFrame(
            returns, columns=[f"S{i:04d}" for i in range(returns.shape[1])], index=pd.bdate_range("2020-01-01", periods=len(returns)))

    def compare(self, label, difference, tolerance):
        self.count += 1
        self.worst = max(self.worst, difference) if difference == difference else float("inf")
        if not difference <= tolerance:
            self.faults += 1
            print(f"  {label}: {difference:.2e}", flush=True)

    def answer(self, label, path, returns, request):
        """Ours; None, and a fault, where it was refused."""
        answer = self.bench.optimize(path, returns, request)
        if "problem" not in answer and "error" not in answer:
            return answer
        self.refuse(label, answer)
        return None

    def refuse(self, label, answer):
        problem = answer.get("problem") or answer.get("error")
        self.faults += 1
        print(f"  {label}: {problem.get('code') if isinstance(problem, dict) else problem} {problem.get('detail', '') if isinstance(problem, dict) else ''}", flush=True)

    def choice(self, values):
        return values[int(self.random.integers(0, len(values)))]


def relative(ours, theirs):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-300))


RISK = {
    "MV": lambda x: x.std(ddof=1), "MAD": risks.MAD, "MSV": risks.SemiDeviation, "FLPM": lambda x: risks.LPM(x, 0, 1), "SLPM": lambda x: risks.LPM(x, 0, 2),
    "CVaR": lambda x: risks.CVaR_Hist(x, 0.05), "MDD": risks.MDD_Abs, "ADD": risks.ADD_Abs, "CDaR": lambda x: risks.CDaR_Abs(x, 0.05),
    "UCI": risks.UCI_Abs, "EVaR": lambda x: risks.EVaR_Hist(x, 0.05)[0], "WR": risks.WR, "GMD": risks.GMD, "RG": risks.RG,
    "CVRG": lambda x: risks.CVRG(x, 0.05), "TG": lambda x: risks.TG(x, 0.05), "KT": risks.Kurtosis, "SKT": risks.SemiKurtosis,
}
