"""Writes hierarchical.json beside itself: what SciPy 1.17.1 and Riskfolio-Lib 7.4.0 answer to small made-up data.

Run it with `pip install riskfolio-lib==7.4.0`; SEED and SIZE of a larger sample may be given as arguments with a path.
"""
import contextlib
import io
import json
import pathlib
import sys

import numpy as np
import pandas as pd
import riskfolio as rp
import scipy.cluster.hierarchy as hr
from riskfolio.src import AuxFunctions as af
from riskfolio.src import DBHT as db
from scipy.spatial.distance import squareform


def trees(rng, count):
    """Random distances, every third with ties, every fourth with coinciding points."""
    cases = []
    for case in range(count):
        n = int(rng.integers(2, 13))
        points = rng.normal(size=(n, 3))
        if case % 3 == 0:
            points = rng.integers(0, 3, size=(n, 2)).astype(float)
        distance = np.abs(points[:, None, :] - points[None, :, :]).sum(axis=2)
        if case % 4 == 0:
            distance = np.sqrt(distance)
        entry = {"distance": distance.tolist(), "trees": {}}
        for method in ["single", "complete", "average", "weighted", "centroid", "median", "ward"]:
            condensed = squareform(distance)
            plain = hr.linkage(condensed, method)
            turned = hr.linkage(condensed, method, optimal_ordering=True)
            labels = {}
            if hr.is_monotonic(plain):
                labels = {k: hr.cut_tree(plain, k).ravel().tolist() for k in range(1, n + 1)}
            entry["trees"][method] = {"plain": plain.tolist(), "ordered": turned.tolist(), "clusters": labels}
        cases.append(entry)
    return cases


def correlation_of_copies_is_one():
    """Riskfolio-Lib's HGR rule asks for 40,000 bins on the diagonal where rounding makes a correlation of less than one."""
    plain = np.corrcoef
    np.corrcoef = lambda *arguments, **named: np.round(plain(*arguments, **named), 14)


def returns(rng, n, T):
    factors = rng.standard_t(4, size=(T, 3)) * 0.01
    loadings = rng.uniform(0, 1, size=(3, n)) * (rng.uniform(size=(3, n)) < 0.6)
    return np.round(factors @ loadings + rng.standard_t(5, size=(T, n)) * 0.006, 12)


def panels(rng, count):
    """Codependence, DBHT and numbers of clusters of random returns."""
    cases = []
    for case in range(count):
        n, T = int(rng.integers(10, 26)), int(rng.integers(80, 160))
        X = returns(rng, n, T)
        if case % 2:
            X = np.round(X, 3)  # ties between returns
        frame = pd.DataFrame(X, columns=[f"A{i}" for i in range(n)])
        entry = {"returns": X.T.tolist(), "codependence": {}, "clusters": {}, "dbht": {}}
        for method in ["pearson", "spearman", "kendall", "abs_spearman", "gerber1", "gerber2", "distance", "tail"]:
            similarity, distance = af.codep_dist(frame, codependence=method)
            entry["codependence"][method] = [np.asarray(similarity).tolist(), np.asarray(distance).tolist()]
        for bins in ["KN", "FD", "SC", "HGR", 7]:
            similarity, distance = af.codep_dist(frame, codependence="mutual_info", bins_info=bins)
            entry["codependence"][f"mutual_info {bins}"] = [np.asarray(similarity).tolist(), np.asarray(distance).tolist()]
        for codependence in ["pearson", "abs_spearman"]:
            similarity, distance = af.codep_dist(frame, codependence=codependence)
            D = distance.to_numpy().copy()
            S = 1 - D**2 if codependence == "pearson" else similarity.to_numpy()
            np.fill_diagonal(D, 0)
            # Only exact zeros and untied data: its breadth-first search and its clique (0, 1, 2) have defects of their own.
            with contextlib.redirect_stdout(io.StringIO()):
                _, _, _, _, _, Z = db.DBHTs(D, S, leaf_order=True)
                _, _, _, _, _, plain = db.DBHTs(D, S, leaf_order=False)
            entry["dbht"][codependence] = {"plain": np.asarray(plain).tolist(), "ordered": np.asarray(Z).tolist()}
        similarity, distance = af.codep_dist(frame, codependence="pearson")
        for linkage in ["single", "ward", "average", "complete"]:
            Z = hr.linkage(squareform(distance, checks=False), linkage, optimal_ordering=True)
            entry["clusters"][linkage] = [
                int(af.two_diff_gap_stat(distance, Z, 10)[0]), int(af.std_silhouette_score(distance, Z, 10)[0])]
        cases.append(entry)
    return cases


def portfolios(rng, count):
    """Weights of Riskfolio-Lib's HCPortfolio for choices that the oracle does not have."""
    cases = []
    for case in range(count):
        X = returns(rng, 12, 120)
        frame = pd.DataFrame(X, columns=[f"A{i}" for i in range(12)])
        choices = [
            ("HRP", "MV", "distance", "single"), ("HRP", "CVaR", "tail", "complete"), ("HERC", "vol", "mutual_info", "average"),
            ("HERC", "MAD", "abs_spearman", "weighted"), ("HERC2", "UCI", "kendall", "ward"), ("HRP", "vol", "pearson", "DBHT"),
            ("HERC", "MV", "pearson", "DBHT"), ("HRP", "MV", "pearson", "centroid"), ("HRP", "MV", "pearson", "median"),
        ]
        entry = {"returns": X.T.tolist(), "answers": []}
        for model, rm, codependence, linkage in choices:
            port = rp.HCPortfolio(returns=frame)
            with contextlib.redirect_stdout(io.StringIO()):
                w = port.optimization(
                    model=model, codependence=codependence, rm=rm, linkage=linkage, max_k=10, leaf_order=True)
            entry["answers"].append(
                {"model": model, "rm": rm, "codependence": codependence, "linkage": linkage,
                 "weights": w["weights"].tolist()})
        cases.append(entry)
    return cases


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    size = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    path = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else pathlib.Path(__file__).with_name("hierarchical.json")
    rng = np.random.default_rng(seed)
    correlation_of_copies_is_one()
    document = {"trees": trees(rng, 24 * size), "panels": panels(rng, 2 * size), "portfolios": portfolios(rng, 2 * size)}
    text = json.dumps(document, separators=(",", ":"))
    path.write_text(text + "\n")


main()
