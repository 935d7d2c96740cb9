"""The optimizer as a service: rate and latency, overload, fairness, abandoned requests, stalled connections.

    Benchmarks/run-service            # builds in release mode, starts a stack of its own, writes SERVICE.md
    python service.py HELLO_BENCH     # against the stack that the environment names; prints the same

Needs wrk (a Debian package), which generates the load: a Python generator takes several times the processor of the refusals that it asks for. Everything
runs on the machine that is measured; what the generator takes of it is told.
"""
import asyncio
import json
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

from stack import Stack

URL = urllib.parse.urlparse(os.environ["BALLAST_URL"])
KEY = os.environ["BALLAST_API_KEY"]
PID = int(os.environ["BALLAST_PID_OPTIMIZER"])
SECONDS = float(os.environ.get("BALLAST_BENCH_SECONDS", "8"))


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def body(names, rate, **more):
    return json.dumps({"assets": names, "objective": "MinRisk", "risk_free_rate": rate, "store": False, **more}).encode()


def head(size, key=KEY, more=""):
    return (f"POST /api/portfolio/optimize HTTP/1.1\r\nHost: {URL.netloc}\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {size}\r\n{more}\r\n").encode()


class Connection:
    """One keep-alive connection; a request at a time."""

    async def ask(self, data):
        """Status and milliseconds."""
        start = time.perf_counter()
        if not hasattr(self, "writer"):
            self.reader, self.writer = await asyncio.open_connection(URL.hostname, URL.port)
        self.writer.write(data)
        answer = await self.reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", answer, re.I)[1])
        await self.reader.readexactly(length)
        return int(answer[9:12]), 1000 * (time.perf_counter() - start)

    def close(self):
        if hasattr(self, "writer"):
            self.writer.close()


async def closed_loop(make, seconds, connections):
    """So many callers, each with one request at a time: (status, ms, when)."""
    end, found = time.perf_counter() + seconds, []

    async def caller():
        connection = Connection()
        while time.perf_counter() < end:
            status, took = await connection.ask(make())
            found.append((status, took, time.perf_counter()))
        connection.close()

    await asyncio.gather(*(caller() for _ in range(connections)))
    return found


class Load:
    """What became of requests that no cache answers: (status, ms, when) of each, or only their number, and the generator's share of a core."""

    def __init__(self, names, seconds, connections, measure="MV", rate=None, key=KEY, urgent=False, each=True):
        # A caller that waits for its answer and then pauses: the rate is a little below the wanted one.
        pause = 1000 * connections / rate if rate else 0
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout", "10s", "-s", os.path.join(os.path.dirname(os.path.abspath(__file__)), "load.lua"),
                   URL.geturl(), "--", measure, json.dumps(names, separators=(",", ":")), f"{pause:.3f}", "each" if each else "count"]
        # The one whose latency counts is not to wait for the processor itself.
        if urgent and os.geteuid() == 0:
            command = ["nice", "-n", "-10"] + command
        self.seconds = seconds
        self.begun = time.perf_counter()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "BALLAST_LOAD_KEY": key})

    def result(self):
        text = self.process.stdout.read()
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        if self.process.returncode != 0:
            raise RuntimeError(f"wrk ended with {self.process.returncode}: {text[:300]}")
        self.processor = (usage.ru_utime + usage.ru_stime) / self.seconds
        self.count = int(re.search(r"(\d+) requests in", text)[1])
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        self.bad = int(bad[1]) if bad else 0
        broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
        self.broken = sum(map(int, broken.groups())) if broken else 0
        self.found = [(int(status), float(took) / 1000, float(when)) for status, took, when in re.findall(r"^answer (\d+) (\d+) ([\d.]+)$", text, re.M)]
        return self

    def times(self, *statuses, after=0.0):
        return [took for status, took, when in self.found if when > after and status in statuses]


def load(*arguments, **more):
    return Load(*arguments, **more).result()


def fresh(names, key=KEY, **more):
    """A request that no cache answers."""
    def make():
        data = body(names, round(random.uniform(-0.05, 0.05), 9), **more)
        return head(len(data), key) + data
    return make


# MARK: Cached, beside a bare server


def wrk(url, data, connections, seconds, key=None):
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write('wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n')
        if key:
            script.write(f'wrk.headers["Authorization"] = "Bearer {key}"\n')
        script.write(f"wrk.body = [[{data.decode()}]]\n")
        script.flush()
        text = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script.name, url],
            capture_output=True, text=True, check=True).stdout
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", text).groups()
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return rate, float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit], int(bad[1]) if bad else 0


def cached(hello, stack):
    data = body(stack.names[:20], 0.01)
    asyncio.run(closed_loop(lambda: head(len(data)) + data, 0.3, 1))
    server = subprocess.Popen([hello, "8099"])
    try:
        time.sleep(1)
        print("| connections | Ballast, requests/s | p99, ms | bare Hummingbird, requests/s | p99, ms | share |\n|---|---|---|---|---|---|")
        for connections in (4, 8, 16, 64):
            rates, tails, bares, bare_tails = [], [], [], []
            for _ in range(3):
                rate, tail, bad = wrk(URL.geturl() + "/api/portfolio/optimize", data, connections, max(2, int(SECONDS / 2)), KEY)
                if bad:
                    raise RuntimeError(f"{bad} answers were not 200")
                bare, bare_tail, _ = wrk("http://127.0.0.1:8099/hello", data, connections, max(2, int(SECONDS / 2)))
                rates.append(rate), tails.append(tail), bares.append(bare), bare_tails.append(bare_tail)
            rate, bare = statistics.median(rates), statistics.median(bares)
            print(f"| {connections} | {rate:.0f} | {statistics.median(tails):.2f} | {bare:.0f} | {statistics.median(bare_tails):.2f} | {100 * rate / bare:.0f} % |",
                  flush=True)
    finally:
        server.terminate()
        server.wait()


# MARK: Uncached


def uncached(stack):
    names = stack.names[:20]
    load(names, 1, 1)
    found = load(names, SECONDS, 1).times(200)
    print(f"| {len(found)} | {percentile(found, 0.5):.2f} | {percentile(found, 0.9):.2f} | {percentile(found, 0.99):.2f} |")


# MARK: Panels


def panel_seconds():
    """Seconds that the service has spent so far from PostgreSQL to matrices: from a transaction's begin to the returns and their fingerprint."""
    with urllib.request.urlopen(os.environ["BALLAST_OPS_URL"] + "/metrics", timeout=10) as answer:
        found = re.search(rb"^optimizer_panel_seconds_sum(?:\{[^}]*\})? ([\d.eE+-]+)$", answer.read(), re.M)
    return float(found[1]) if found else 0.0


def panels(stack):
    stack.load_synthetic(assets=500, days=2501, prefix="LRG", quietly=True)
    for count, days, names in ((20, 1000, [f"SYN{n + 1:03d}" for n in range(20)]), (500, 2500, stack.names)):
        times, loads = [], []
        for _ in range(9):
            # A price of each changes, so that no series is the one that was read before.
            stack.database.execute(
                "update market_data set price = price + 0.000001 where asset_symbol = any(%s) and timestamp = (select max(timestamp) from market_data where asset_symbol = %s)", [names, names[0]])
            # The store-notifier's part after a change is not the panel's.
            time.sleep(1)
            before = panel_seconds()
            answer, took = stack.optimize({"assets": names, "model": "EqualWeight", "store": False})
            times.append(took - answer["meta"]["solve_ms"])
            loads.append(1000 * (panel_seconds() - before))
            assert answer["data"]["observations"] == days, answer["data"]
        print(f"| {count} x {days} | {len(times)} | {percentile(loads, 0.5):.1f} | {max(loads[1:]):.1f} | {percentile(times, 0.5):.1f} | {max(times[1:]):.1f} |")


# MARK: Overload


def metric(name, **labels):
    """Sum of a metric's samples with such labels."""
    with urllib.request.urlopen(os.environ["BALLAST_OPS_URL"] + "/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = re.findall(rf"^{name}(?:\{{([^}}]*)\}})? ([\d.eE+-]+)$", text, re.M)
    return sum(float(value) for given, value in found if all(f'{label}="{wanted}"' in given for label, wanted in labels.items()))


def overload(stack):
    for count, measure, what in ((20, "CVaR", "half a millisecond of solving"), (200, "CVaR", "some ten milliseconds")):
        print(f"{measure}, {count} assets x 1,000 days: {what}. Medians of three rounds, each in brackets.\n")
        flooded(stack.names[:count], measure)
        print()


def flooded(names, measure):
    load(names, 2, 2, measure)
    rows = []
    answered = lambda: metric("http_server_request_duration_seconds_count", route="/api/portfolio/optimize", status="200")
    for _ in range(3):
        unloaded = load(names, SECONDS, 1, measure).times(200)
        closed = [load(names, SECONDS / 2, connections, measure) for connections in (2, 3, 4)]
        best = max(len(one.times(200)) / one.seconds for one in closed)
        before = loop_seconds()
        # Answers are counted by the service: looking at each would make the flood's generator a part of the load.
        flood = Load(names, SECONDS, 100, measure, rate=10 * best, each=False)
        # A caller beside it says how long one waits.
        caller = Load(names, SECONDS, 1, measure, rate=100, urgent=True)
        # The first second is the burst that is let queue.
        time.sleep(1)
        since, good = time.perf_counter(), answered()
        time.sleep(SECONDS - 1.2)
        good = (answered() - good) / (time.perf_counter() - since)
        over = flood.result()
        loops = (loop_seconds() - before) / SECONDS
        caller = caller.result()
        ended = time.perf_counter()
        recovered = float("nan")
        while time.perf_counter() < ended + 5:
            probe = asyncio.run(closed_loop(fresh(names, risk_measure=measure), 0.1, 1))
            if probe and all(status == 200 for status, _, _ in probe) and statistics.median(t for _, t, _ in probe) <= 2 * percentile(unloaded, 0.5):
                recovered = time.perf_counter() - ended
                break
        refused, accepted = caller.times(429, 503, after=1), caller.times(200, after=1)
        rows.append({
            "peak": best, "p50 alone": percentile(unloaded, 0.5), "p99 alone": percentile(unloaded, 0.99), "offered": over.count / SECONDS, "goodput": good,
            "share": 100 * good / best, "p50": percentile(accepted, 0.5), "p99": percentile(accepted, 0.99), "times": percentile(accepted, 0.99) / percentile(unloaded, 0.99),
            "loops": 100 * loops, "refused p50": percentile(refused, 0.5), "refused p99": percentile(refused, 0.99), "broken": over.broken,
            "other": len(caller.found) - len(caller.times(200, 429, 503)), "recovered": recovered, "generator": 100 * over.processor, "accepted": len(accepted)})
    show = lambda name, form: f"{statistics.median(row[name] for row in rows):{form}} ({', '.join(f'{row[name]:{form}}' for row in rows)})"
    print(f"- Peak in a closed loop of 2 to 4 callers: {show('peak', '.0f')} answers/s; one caller alone: p50 {show('p50 alone', '.1f')} ms, p99 {show('p99 alone', '.1f')} ms")
    print(f"- Offered {show('offered', '.0f')}/s by 100 connections: goodput {show('goodput', '.0f')}/s, {show('share', '.0f')} % of the peak; a caller of 100/s beside them: accepted p50 {show('p50', '.1f')} ms, "
          f"p99 {show('p99', '.1f')} ms, {show('times', '.1f')} x that of one alone ({show('accepted', '.0f')} answers)")
    print(f"- Refusals: p50 {show('refused p50', '.2f')} ms, p99 {show('refused p99', '.2f')} ms; other answers {show('other', '.0f')}, broken connections {show('broken', '.0f')}; "
          f"of two cores the generator took {show('generator', '.0f')} % of one, the event loops, which read and refuse, {show('loops', '.0f')} %")
    print(f"- Back to normal after {show('recovered', '.1f')} s", flush=True)


# MARK: Fairness


def second_tenant(stack):
    name = "bench-other"
    other = "00000000-0000-0000-0000-0000000000be"
    with stack.database.transaction():
        stack.database.execute("select set_config('app.tenant', %s, true)", [other])
        stack.database.execute("insert into ballast.tenant (tenant_id, name) values (%s, %s) on conflict do nothing", [other, name])
    text = subprocess.run(
        [os.path.join(os.path.dirname(os.readlink(f"/proc/{PID}/exe")), "ballast"), "keys", "create", "--name", "bench", "--scopes", "optimize", "--tenant", name],
        capture_output=True, text=True, check=True).stdout
    return re.search(r"bk_[0-9A-Za-z]{8}_[0-9A-Za-z_-]{43}", text)[0]


def fairness(stack):
    mine, key, theirs = stack.names[:20], second_tenant(stack), stack.names[20:40]
    load(mine, 1, 1, rate=10, key=key)
    load(theirs, 1, 1)
    alone, beside, refused, answered = [], [], 0, []
    for _ in range(3):
        alone += load(mine, 2 * SECONDS, 1, rate=10, key=key, urgent=True).times(200)
        other = Load(theirs, 2 * SECONDS + 2, 100, rate=1000)
        time.sleep(1)
        one = load(mine, 2 * SECONDS, 1, rate=10, key=key, urgent=True)
        other.result()
        beside += one.times(200)
        refused += len(one.found) - len(one.times(200))
        answered.append((len(other.found) / other.seconds, len(other.times(200)) / other.seconds))
    print(f"- Alone at 10/s: p50 {percentile(alone, 0.5):.1f} ms, p99 {percentile(alone, 0.99):.1f} ms ({len(alone)} answers)")
    print(f"- Beside a tenant that sends {statistics.median(a for a, _ in answered):.0f}/s, of which {statistics.median(g for _, g in answered):.0f}/s are answered: p50 {percentile(beside, 0.5):.1f} ms, "
          f"p99 {percentile(beside, 0.99):.1f} ms ({100 * (percentile(beside, 0.99) / percentile(alone, 0.99) - 1):+.0f} %; {len(beside)} answers); {refused} of its requests refused", flush=True)


# MARK: Abandoned


def thread_ticks():
    """Hundredths of a second of each thread, by number and name."""
    found = {}
    for task in os.listdir(f"/proc/{PID}/task"):
        try:
            with open(f"/proc/{PID}/task/{task}/stat") as file:
                name, rest = file.read().rsplit(")", 1)
        except OSError:
            continue
        found[task, name.partition("(")[2]] = sum(int(n) for n in rest.split()[11:13])
    return found


def loop_seconds():
    """Processor time of the event loops."""
    return sum(ticks for (_, name), ticks in thread_ticks().items() if name.startswith("NIO")) / os.sysconf("SC_CLK_TCK")


def cpu_ticks():
    """Hundredths of a second that the process has used."""
    with open(f"/proc/{PID}/stat") as file:
        text = file.read()
    rest = text[text.rindex(")") + 2:].split()
    return int(rest[11]) + int(rest[12])


def abandoned(stack):
    times = []
    # Before it has seen one, the service thinks that these outlast any patience, and makes them jobs.
    stack.optimize({"assets": stack.names[:300], "objective": "MinRisk", "risk_measure": "CVaR", "store": False})
    for _ in range(5):
        sockets = []
        for n in range(20):
            data = body(stack.names[:300], 0.001 * n + random.random() * 1e-6, risk_measure="CVaR", efficient_frontier=20)
            one = socket.create_connection((URL.hostname, URL.port))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            # Without it what takes long becomes a job, which nobody abandons.
            one.sendall(head(len(data), more="X-Request-Timeout: 60\r\n") + data)
            sockets.append(one)
        time.sleep(1)
        busy = cpu_ticks()
        time.sleep(0.2)
        worked = cpu_ticks() - busy
        for one in sockets:
            one.setblocking(False)
            try:
                status = one.recv(12)[9:]
            except BlockingIOError:
                continue
            if status != b"200":
                raise RuntimeError(f"one was answered {status}")
        start = time.perf_counter()
        for one in sockets:
            one.close()  # RST
        samples, late = [], None
        while time.perf_counter() < start + 2:
            samples.append((time.perf_counter() - start, cpu_ticks()))
            if late is None and samples[-1][0] > 0.1:
                late = thread_ticks()
            time.sleep(0.005)
        # Who works later than that.
        worked_late = {name: ticks - late.get((task, name), 0) for (task, name), ticks in thread_ticks().items() if ticks > late.get((task, name), 0)}
        # Busy at a moment: a third of a core or more over the 60 ms that follow it.
        last = 0.0
        for n, (when, ticks) in enumerate(samples):
            later = next((t for w, t in samples[n:] if w >= when + 0.06), None)
            if later is not None and later - ticks >= 2:
                last = when
        times.append(1000 * last if worked >= 5 else float("nan"))
        if last > 0.1:
            print(f"- {1000 * last:.0f} ms: ticks of threads after the first 100 ms: {worked_late}")
    print(f"- 20 requests (CVaR, 300 assets, frontier of 20 points), cut off by RST after a second, five times: the process was busy for at most {max(times):.0f} ms more "
          f"(each: {', '.join(f'{t:.0f}' for t in times)}; its clock ticks each 10 ms)", flush=True)


# MARK: Stalled


def stalled(stack):
    data = body(stack.names[:20], 0.01)
    asyncio.run(closed_loop(lambda: head(len(data)) + data, 0.3, 1))

    def tail():
        rate, p99, bad = wrk(URL.geturl() + "/api/portfolio/optimize", data, 4, 2, KEY)
        if bad:
            raise RuntimeError(f"{bad} answers were not 200")
        return rate, p99

    tail()
    before, during, held = [], [], 0
    for _ in range(5):
        before.append(tail())
        sockets = []
        for n in range(1000):
            one = socket.create_connection((URL.hostname, URL.port), timeout=2)
            one.sendall(b"POST /api/portfolio/optimize HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"a" * (n % 50))
            sockets.append(one)
        # Taking them in is work, and over by then. With the two seconds that follow it is less than the four after which they are closed.
        time.sleep(0.7)
        during.append(tail())
        held = max(held, sum(1 for one in sockets if is_open(one)))
        for one in sockets:
            one.close()
        time.sleep(0.5)
    p99 = [statistics.median(tail for _, tail in rounds) for rounds in (before, during)]
    rate = [statistics.median(rate for rate, _ in rounds) for rounds in (before, during)]
    print(f"- Before: p99 {p99[0]:.2f} ms at {rate[0]:.0f} requests/s. With 1,000 connections that stalled in their heads ({held} of them open at the end): p99 {p99[1]:.2f} ms "
          f"({100 * (p99[1] / p99[0] - 1):+.0f} %) at {rate[1]:.0f} requests/s; medians of five rounds", flush=True)


def is_open(one):
    one.setblocking(False)
    try:
        return bool(one.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return True
    except OSError:
        return False


def main():
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    wanted = set(sys.argv[2:])
    stack = Stack()
    # Past the change log: else the others would read it while we measure.
    stack.load_synthetic(assets=300, days=1001, quietly=True)
    mine = stack.names
    print(f"Machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start; wrk, Python's generators and PostgreSQL on the same cores.\n")
    for name, title, run in [
        ("cached", "Cached optimise, 20 assets, beside a bare Hummingbird (wrk, keep-alive, medians of three)", lambda: cached(sys.argv[1], stack)),
        ("uncached", "Uncached: 20 x 1,000 mean-variance, database included (ms)\n\n| requests | p50 | p90 | p99 |\n|---|---|---|---|", lambda: uncached(stack)),
        ("panels", "Panels from PostgreSQL, every series read anew a second after an update of each: to the matrix, by the service's own clock, and the whole request but its solve (ms)\n\n"
         "| panel | requests | to the matrix, p50 | longest but the first | request, p50 | longest but the first |\n|---|---|---|---|---|---|", lambda: panels(stack)),
        ("overload", "Overload: ten times the peak", lambda: overload(stack)),
        ("fairness", "A tenant beside one that sends a hundred times as much", lambda: fairness(stack)),
        ("abandoned", "Abandoned requests", lambda: abandoned(stack)),
        ("stalled", "Stalled connections, cached optimise over four others", lambda: stalled(stack)),
    ]:
        if wanted and name not in wanted:
            continue
        print(f"### {title}" + ("" if "|" in title else "\n"), flush=True)
        stack.names = mine
        try:
            run()
        except Exception as error:  # the other sections still count
            print(f"- failed: {error!r}", flush=True)
        print()


if __name__ == "__main__":
    main()
