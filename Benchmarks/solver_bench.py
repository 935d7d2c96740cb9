"""Drives the executable SolverBench: one JSON line a request, one a answer."""
import json
import os
import subprocess


class SolverBench:
    def __init__(self, path, threads=None):
        environment = dict(os.environ)
        if threads:
            environment["OPENBLAS_NUM_THREADS"] = str(threads)
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=environment)

    def ask(self, **order):
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"SolverBench ended with {self.process.wait()} on {order}")
        return json.loads(line)

    def optimize(self, panel, returns, request, repeats=1, near=None):
        count, n = returns.shape
        start = {"near": list(map(float, near))} if near is not None else {}
        return self.ask(do="optimize", panel=str(panel), observations=count, columns=n, repeats=repeats, request=request, **start)

    def floor(self, count, n):
        return self.ask(do="floor", observations=count, columns=n)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
