"""All measurements, in one process, so that the peers see the same machine at the same time. Prints RESULTS.md."""
import os
import platform
import subprocess
import sys

from mean_variance import against_riskfolio
from recalculation import latency
from stack import Stack, median_ms

QUICK = bool(os.environ.get("BALLAST_BENCH_QUICK"))


def first_line(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout.strip().splitlines()[0]


def processor():
    with open("/proc/cpuinfo") as file:
        return next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())


def main():
    stack = Stack()
    stack.load_synthetic(assets=500, days=1001)
    print("# Results\n")
    print("Made by `make bench` (`Benchmarks/run`), which writes this file. Medians; milliseconds.\n")
    print(f"- Machine: {os.cpu_count()} cores, {processor()}, load {os.getloadavg()[0]:.1f} at the start")
    print(f"- {first_line('swift', '--version')}; PostgreSQL {stack.server_version()}; Python {platform.python_version()}")
    print(f"- Commit {first_line('git', 'rev-parse', '--short', 'HEAD')}, release build\n")

    print("## Mean-variance against Riskfolio-Lib\n")
    print("Simple daily returns, long only, weights at most 0.3 (n = 20) or 0.05 (n = 500). n = 20: the 20 real stocks of `Samples`, their last 1,000")
    print("returns; n = 500: synthetic. *Ballast, HTTP* is a whole request over loopback: load from PostgreSQL, estimate, solve, verify, respond, with a")
    print("risk-free rate that differs each time, so that no cache answers. *Ballast, solve* is `meta.solve_ms` of the same answers. *Riskfolio-Lib* is a new")
    print("`Portfolio`, `assets_stats` and `optimization`, from returns in memory. The two alternate. *Difference*: relative, of the objective re-evaluated alike from")
    print("both answers' weights; positive: Ballast's is better.\n")
    print("| objective | n | Ballast, HTTP | Ballast, solve | Riskfolio-Lib | difference |\n|---|---|---|---|---|---|")
    for n, repeats in ((20, 3 if QUICK else 15), (500, 1 if QUICK else 3)):
        for row in against_riskfolio(stack, n, repeats):
            print(row, flush=True)

    print("\n## Recalculation after a COMMIT\n")
    count = 10 if QUICK else 100
    times, quiet_ms = latency(stack, count)
    print("One stored portfolio of 20 assets x 1,000 daily returns, maximum Sharpe ratio with bounds. One asset's last close is changed by a plain UPDATE; time from the")
    print("COMMIT of that transaction (`pg_xact_commit_timestamp`) to the stored result (`portfolio_result.created_at`, the same clock), less the quiet time of")
    print(f"{quiet_ms} ms. {count} changes, one after another.\n")
    ordered = sorted(times)
    print("| median | 90 % | largest |\n|---|---|---|")
    print(f"| {median_ms(times):.1f} | {ordered[int(0.9 * (len(ordered) - 1))]:.1f} | {ordered[-1]:.1f} |")


if __name__ == "__main__":
    sys.exit(main())
