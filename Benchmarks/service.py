"""The optimizer as a service: rate and latency, overload, fairness, abandoned requests, stalled connections.

    Benchmarks/run-service            # builds in release mode, starts a stack of its own, writes SERVICE.md
    python service.py HELLO_BENCH     # against the stack that the environment names; prints the same

Needs wrk for the cached rate (a Debian package). Everything runs on the machine that is measured, generators included.
"""
import asyncio
import json
import multiprocessing
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


def head(size, key=KEY):
    return (f"POST /api/portfolio/optimize HTTP/1.1\r\nHost: {URL.netloc}\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {size}\r\n\r\n").encode()


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


async def open_loop(make, seconds, rate, most=400):
    """Requests at a rate whatever becomes of them, each on an idle connection."""
    idle, found, running = [], [], set()
    start = time.perf_counter()
    sent = 0

    async def one(connection):
        try:
            status, took = await connection.ask(make())
            found.append((status, took, time.perf_counter()))
            idle.append(connection)
        except (OSError, asyncio.IncompleteReadError, TypeError):
            connection.close()

    while (now := time.perf_counter() - start) < seconds:
        while sent < now * rate and len(running) < most:
            sent += 1
            task = asyncio.create_task(one(idle.pop() if idle else Connection()))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.sleep(0.002)
    await asyncio.gather(*running)
    for connection in idle:
        connection.close()
    return found, sent


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
        for connections in (8, 16, 64):
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
    asyncio.run(closed_loop(fresh(names), 0.5, 1))
    found = [took for status, took, _ in asyncio.run(closed_loop(fresh(names), SECONDS, 1)) if status == 200]
    print(f"| {len(found)} | {percentile(found, 0.5):.2f} | {percentile(found, 0.9):.2f} | {percentile(found, 0.99):.2f} |")


# MARK: Overload


def overload(stack):
    make = fresh(stack.names[:20], risk_measure="CVaR")
    alone = asyncio.run(closed_loop(make, SECONDS, 1))
    unloaded = [took for status, took, _ in alone if status == 200]
    best = 0.0
    for connections in (2, 4, 8):
        found = asyncio.run(closed_loop(make, SECONDS / 2, connections))
        best = max(best, sum(status == 200 for status, _, _ in found) / (SECONDS / 2))
    found, sent = asyncio.run(open_loop(make, SECONDS, 10 * best))
    # The first second is the burst that is let queue.
    begun = min(when for _, _, when in found) + 1
    good = [took for status, took, when in found if status == 200 and when > begun]
    refused = [took for status, took, when in found if status in (429, 503) and when > begun]
    other = sum(status not in (200, 429, 503) for status, _, _ in found)
    ended = time.perf_counter()
    recovered = None
    while time.perf_counter() < ended + 5:
        probe = asyncio.run(closed_loop(make, 0.2, 1))
        if probe and all(status == 200 for status, _, _ in probe) and statistics.median(t for _, t, _ in probe) <= 2 * percentile(unloaded, 0.5):
            recovered = time.perf_counter() - ended
            break
    goodput = len(good) / max(max(when for _, _, when in found) - begun, 1e-9)
    print(f"- Peak {best:.0f} answers/s in a closed loop; unloaded p50 {percentile(unloaded, 0.5):.1f} ms, p99 {percentile(unloaded, 0.99):.1f} ms")
    print(f"- Offered {sent / SECONDS:.0f}/s: goodput {goodput:.0f}/s, {100 * goodput / best:.0f} % of the peak; accepted p50 {percentile(good, 0.5):.1f} ms, p99 {percentile(good, 0.99):.1f} ms "
          f"({percentile(good, 0.99) / percentile(unloaded, 0.99):.1f} x unloaded)")
    print(f"- {len(refused)} refused, p50 {percentile(refused, 0.5):.1f} ms, p99 {percentile(refused, 0.99):.1f} ms as the generator sees it; {other} other answers")
    print(f"- Back to normal after {recovered:.1f} s" if recovered else "- Not back to normal after 5 s", flush=True)


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
    quiet = fresh(stack.names[:20], second_tenant(stack))
    noisy = fresh(stack.names[20:40])

    async def paced(rate, seconds):
        found, _ = await open_loop(quiet, seconds, rate)
        return [took for status, took, _ in found if status == 200], sum(status != 200 for status, _, _ in found)

    def together(rate, seconds):
        # A process of its own: what the other tenant's generator is late must not count here.
        other = multiprocessing.Process(target=lambda: asyncio.run(open_loop(noisy, seconds + 2, 100 * rate)))
        other.start()
        time.sleep(1)
        mine = asyncio.run(paced(rate, seconds))
        other.join()
        return mine

    asyncio.run(paced(10, 1))
    alone, _ = asyncio.run(paced(10, 2 * SECONDS))
    beside, refused = together(10, 2 * SECONDS)
    print(f"- Alone at 10/s: p50 {percentile(alone, 0.5):.1f} ms, p99 {percentile(alone, 0.99):.1f} ms")
    print(f"- Beside a tenant at 1,000/s: p50 {percentile(beside, 0.5):.1f} ms, p99 {percentile(beside, 0.99):.1f} ms "
          f"({100 * (percentile(beside, 0.99) / percentile(alone, 0.99) - 1):+.0f} %); {refused} of its requests refused", flush=True)


# MARK: Abandoned


def cpu_ticks():
    """Hundredths of a second that the process has used."""
    with open(f"/proc/{PID}/stat") as file:
        text = file.read()
    rest = text[text.rindex(")") + 2:].split()
    return int(rest[11]) + int(rest[12])


def abandoned(stack):
    times = []
    for _ in range(5):
        sockets = []
        for n in range(20):
            data = body(stack.names[:300], 0.001 * n + random.random() * 1e-6, risk_measure="CVaR")
            one = socket.create_connection((URL.hostname, URL.port))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            one.sendall(head(len(data)) + data)
            sockets.append(one)
        time.sleep(1)
        busy = cpu_ticks()
        time.sleep(0.2)
        worked = cpu_ticks() - busy
        start = time.perf_counter()
        for one in sockets:
            one.close()  # RST
        samples = []
        while time.perf_counter() < start + 2:
            samples.append((time.perf_counter() - start, cpu_ticks()))
            time.sleep(0.005)
        # Busy at a moment: a third of a core or more over the 60 ms that follow it.
        last = 0.0
        for n, (when, ticks) in enumerate(samples):
            later = next((t for w, t in samples[n:] if w >= when + 0.06), None)
            if later is not None and later - ticks >= 2:
                last = when
        times.append(1000 * last if worked >= 5 else float("nan"))
    print(f"- 20 requests (CVaR, 300 assets), cut off by RST after a second, five times: the process was busy for at most {max(times):.0f} ms more "
          f"(each: {', '.join(f'{t:.0f}' for t in times)}; its clock ticks each 10 ms)", flush=True)


# MARK: Stalled


def stalled(stack):
    data = body(stack.names[:20], 0.01)
    make = lambda: head(len(data)) + data

    def tail():
        found = [took for status, took, _ in asyncio.run(closed_loop(make, SECONDS, 4)) if status == 200]
        return percentile(found, 0.5), percentile(found, 0.99), len(found)

    tail()
    before = tail()
    sockets = []
    refused = 0
    for n in range(1000):
        try:
            one = socket.create_connection((URL.hostname, URL.port), timeout=2)
            one.sendall(b"POST /api/portfolio/optimize HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"a" * (n % 50))
            sockets.append(one)
        except OSError:
            refused += 1
    during = tail()
    for one in sockets:
        one.close()
    print(f"- Before: p50 {before[0]:.2f} ms, p99 {before[1]:.2f} ms. With 1,000 connections that stalled in their heads ({refused} refused at once): p50 {during[0]:.2f} ms, "
          f"p99 {during[1]:.2f} ms ({100 * (during[1] / before[1] - 1):+.0f} %)", flush=True)


def main():
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    wanted = set(sys.argv[2:])
    stack = Stack()
    stack.load_synthetic(assets=300, days=1001)
    print(f"Machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start; wrk, Python's generators and PostgreSQL on the same cores.\n")
    for name, title, run in [
        ("cached", "Cached optimise, 20 assets, beside a bare Hummingbird (wrk, keep-alive, medians of three)", lambda: cached(sys.argv[1], stack)),
        ("uncached", "Uncached: 20 x 1,000 mean-variance, database included (ms)\n\n| requests | p50 | p90 | p99 |\n|---|---|---|---|", lambda: uncached(stack)),
        ("overload", "Overload: ten times the peak, CVaR 20 x 1,000", lambda: overload(stack)),
        ("fairness", "A tenant beside one that sends a hundred times as much", lambda: fairness(stack)),
        ("abandoned", "Abandoned requests", lambda: abandoned(stack)),
        ("stalled", "Stalled connections, cached optimise over four others", lambda: stalled(stack)),
    ]:
        if wanted and name not in wanted:
            continue
        print(f"### {title}" + ("" if "|" in title else "\n"), flush=True)
        try:
            run()
        except Exception as error:  # the other sections still count
            print(f"- failed: {error!r}", flush=True)
        print()


main()
