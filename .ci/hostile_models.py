"""Hostile requests, for .ci/hostile, from the schema itself: every member of every nested object of what is optimised, evaluated, rebalanced and
recalculated is put just below, at and just above its bounds, far beyond them, and as something else. Then models that contradict their own data.

`add` is given what the cases are made with; a family's name is its first argument.
"""
import json
import math


def add(http, raw, optimize, good, panel, key, netloc, document, chance, per_schema=90):
    schemas = document["components"]["schemas"]
    A = [f"A{n:03d}" for n in range(4)]

    def resolved(schema):
        while "$ref" in schema:
            schema = schemas[schema["$ref"].rpartition("/")[2]]
        return schema

    def members(schema, at=(), depth=0):
        schema = resolved(schema)
        for part in [schema] + schema.get("oneOf", []) + schema.get("anyOf", []) + schema.get("allOf", []):
            part = resolved(part)
            for name, inner in part.get("properties", {}).items():
                yield at + (name,), resolved(inner)
                if depth < 5:
                    yield from members(inner, at + (name,), depth + 1)
            if part.get("type") == "array" and "items" in part and depth < 5:
                yield from members(part["items"], at + (0,), depth + 1)

    def parts(schema):
        yield schema
        for name in ("oneOf", "anyOf", "allOf"):
            for inner in schema.get(name, []):
                yield from parts(resolved(inner))

    def odd(schema):
        """Values on the edges of what a schema allows, and beyond."""
        for part in parts(schema):
            kinds = part.get("type", [])
            kinds = [kinds] if isinstance(kinds, str) else kinds
            for bound in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
                if isinstance(part.get(bound), (int, float)):
                    level = float(part[bound])
                    yield level
                    yield math.nextafter(level, math.inf)
                    yield math.nextafter(level, -math.inf)
            if "number" in kinds:
                yield from (2.2e-308, -1.7e308, 1 / 3)
            if "integer" in kinds:
                yield from (2**31, -2**63, 2**64, 3.0000000001, 1e15)
            if "string" in kinds:
                yield from ("", "\ufeff", "a" * 4000, "A000\n", "\u2066x")
            if "enum" in part:
                yield from (part["enum"][0], str(part["enum"][-1]) + "\u00ad", part["enum"])
            if "array" in kinds:
                yield from ([], [[]], [None] * 50, list(range(2000)))
            if "object" in kinds:
                yield from ({}, {"x" * 300: 1}, {name: 0.25 for name in A}, {name: {name: 1} for name in A})
            if "boolean" in kinds:
                yield from ("true", 1)
        yield from (None, [1e-323], {"": {"": []}})

    def placed(body, at, value):
        body = json.loads(json.dumps(body))
        inner = body
        for step, following in zip(at, at[1:]):
            fresh = [] if following == 0 else {}
            if isinstance(inner, list):
                if not inner:
                    inner.append(fresh)
                inner = inner[0]
            else:
                if not isinstance(inner.get(step), type(fresh)):
                    inner[step] = fresh
                inner = inner[step]
        if isinstance(inner, list):
            inner.append(value)
        else:
            inner[at[-1]] = value
        return body

    weights = {name: 0.25 for name in A}
    for schema, method, path, body in (
        ("OptimizeRequest", "POST", "/api/portfolio/optimize", good(store=False)),
        ("OptimizeRequest", "POST", "/api/portfolio/optimize", {**good(), "model": "EP", "risk_measure": "CVaR", "objective": "Sharpe"}),
        ("MetricsRequest", "POST", "/api/portfolio/metrics", {"returns": panel(4, 60), "weights": weights}),
        ("BacktestRequest", "POST", "/api/portfolio/backtest", {"returns": panel(4, 60), "objective": "MinRisk", "backtest": {"train": 30, "rebalance": 10}}),
        ("PolicyBacktestRequest", "POST", "/api/portfolio/backtest", {"assets": A, "policies": [{"name": "n", "kind": "never"}]}),
        ("RebalanceRequest", "POST", "/api/portfolio/rebalance", {"as_of": "2026-11-20", "currency": "USD", "cash": "100", "holdings": [], "target": {"AAPL": 1}, "prices": {"AAPL": {"price": "2"}}}),
        ("RecalculationSettings", "PUT", "/api/portfolio/nosuch12345678/recalculation", {"enabled": True}),
        ("Holdings", "PUT", "/api/portfolio/nosuch12345678/holdings", {"cash": "1", "positions": []}),
        ("Webhook", "POST", "/api/webhooks", {"url": "https://example.org", "events": ["job.done"]}),
    ):
        if schema not in schemas:
            continue
        spoilt = [(at, value) for at, inner in members(schemas[schema]) for value in odd(inner)]
        for at, value in chance.sample(spoilt, min(len(spoilt), per_schema)):
            family = "enums" if isinstance(value, str) else "bounds" if isinstance(value, (int, float)) else "types"
            http(family, f"{path} of {schema}, {'/'.join(map(str, at))} = {value!r}"[:110], method, path, placed(body, at, value))

    # Models at odds with their own data.
    one, few = panel(1, 60), panel(4, 11)
    for name, body in {
        "views on everything and its opposite": {**good(), "model": "BL", "views": {"items": [{"weights": {"A000": 1, "A001": -1}, "return": 5}, {"weights": {"A000": -1, "A001": 1}, "return": 5}]}},
        "views that are certain and false": {**good(), "model": "EP", "views": {"items": [{"kind": "mean", "asset": "A000", "value": 1e3}]}},
        "a tree of one": {"returns": one, "model": "HRP"}, "clusters of two": {"returns": panel(2, 60), "model": "HERC", "clustering": {"k": 2}}, "clusters of one asset each": {"returns": panel(4, 60), "model": "NCO", "objective": "MinRisk", "clustering": {"k": 4}},
        "parity of one": {"returns": one, "model": "RiskParity"}, "parity with shorts": {**good(), "model": "RiskParity", "constraints": {"short": 0.5}}, "parity of a budget of nothing": {**good(), "model": "RiskParity", "risk_budget": {a: 0 for a in A}},
        "factors that are the assets": {**good(), "model": "FM", "factors": {"returns": panel(4, 60)}}, "more factors than days": {"returns": few, "objective": "MinRisk", "model": "FM", "factors": {"returns": panel(20, 11, seed=3)}},
        "four moments of eleven days": {"returns": few, "model": "MVSK", "objective": "MinRisk"}, "near optimal within nothing": {**good(), "model": "NearOptimal", "near_optimal": {"tolerance": 0}}, "near optimal within 1": {**good(), "model": "NearOptimal", "near_optimal": {"tolerance": 1}},
        "two thousand samples": {**good(), "model": "Resampled", "resampling": {"samples": 2000}}, "subsets of everything": {**good(), "model": "Resampled", "resampling": {"method": "subset", "size": 4, "samples": 3}}, "tracking nobody": {**good(), "model": "Tracking"},
        "tracking itself": {**good(), "model": "Tracking", "constraints": {"benchmark": weights}}, "a ball larger than the world": {**good(), "model": "WorstCase", "objective": "MinRisk", "uncertainty": {"mean": {"set": "ellipsoid", "delta": 1e9}}}, "decorrelation of twins": {"returns": {"dates": few["dates"], "values": {"A": few["values"]["A000"], "B": few["values"]["A000"]}}, "model": "MaxDecorrelation"},
        "OWA of nothing": {**good(), "model": "OWA", "owa_weights": {"weights": [0] * 60}}, "OWA too short": {**good(), "model": "OWA", "owa_weights": {"weights": [1]}}, "OWA that rises": {**good(), "model": "OWA", "owa_weights": {"weights": [n / 60 for n in range(60)]}},
        "weights of one scenario": {**good(), "scenario_weights": [1] + [0] * 59}, "negative probabilities": {**good(), "scenario_weights": [-1] * 60}, "probabilities of 1e-300": {**good(), "scenario_weights": [1e-300] * 60}, "turning points of CVaR": {**good(), "risk_measure": "CVaR", "efficient_frontier": {"turning_points": True}},
        "frontier of a model without one": {**good(), "model": "HRP", "efficient_frontier": 5}, "a network of four": {**good(), "constraints": {"network": {"linkage": "ward", "steps": 99}}}, "centrality beyond all": {**good(), "constraints": {"centrality": {"min": 99}}}, "costs of a 100 % spread": {**good(), "constraints": {"costs": {"from": weights, "linear": 1e6}}},
        "held and not allowed": {**good(), "constraints": {"upper_bound": {"A000": 0}, "turnover": {"from": {"A000": 1}, "total": 0}}}, "no room at all": {**good(), "constraints": {"lower_bound": 0.25, "upper_bound": 0.25}}, "a shade too little room": {**good(), "constraints": {"upper_bound": 0.25 - 1e-13}}, "short and gross at odds": {**good(), "constraints": {"short": 1, "gross": 0.5}},
        "a budget of -1": {**good(), "constraints": {"budget": -1, "short": 2}}, "a budget of 0": {**good(), "constraints": {"budget": 0, "short": 1, "gross": 1}}, "Sharpe of no budget": {**good(), "objective": "Sharpe", "constraints": {"budget": 0, "short": 1}}, "five assets of four": {**good(), "constraints": {"cardinality": {"min": 5, "max": 9}}}, "positions of 0.6": {**good(), "constraints": {"min_position": 0.6}},
    }.items():
        optimize("data", name, body, headers=[("X-Request-Timeout", "4")])

    # Bytes: framing that two servers could read in two ways, and fields at their limits.
    top = f"POST /api/portfolio/optimize HTTP/1.1\r\nHost: {netloc}\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n".encode()
    body = json.dumps({**good(), "store": False}).encode()
    size = str(len(body)).encode()
    for name, data in {
        "a length in octal": top + b"Content-Length: 0" + size + b"\r\n\r\n" + body, "a length in hexadecimal": top + b"Content-Length: 0x20\r\n\r\n" + body, "a length with a sign": top + b"Content-Length: +" + size + b"\r\n\r\n" + body,
        "two equal lengths": top + b"Content-Length: " + size + b", " + size + b"\r\n\r\n" + body, "two fields of length": top + b"Content-Length: " + size + b"\r\nContent-Length: 1\r\n\r\n" + body, "length and chunks": top + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "chunked, twice": top + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "chunked with a tab": top + b"Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n", "chunkedx": top + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "a chunk of -1": top + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n",
        "a chunk of 2^64": top + b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\nx\r\n0\r\n\r\n", "chunks with bare LF": top + b"Transfer-Encoding: chunked\r\n\r\n1\n{\n0\n\n", "trailers of a host": top + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nHost: evil\r\nContent-Length: 9\r\n\r\n",
        "a folded field": top + b"X-A: b\r\n c\r\nContent-Length: 2\r\n\r\n{}", "a field without a colon": top + b"X-A b\r\nContent-Length: 2\r\n\r\n{}", "a space before the colon": top + b"Content-Length : 2\r\n\r\n{}", "a null byte in a field": top + b"X-A: a\0b\r\nContent-Length: 2\r\n\r\n{}", "bare CR": top + b"X-A: a\rb\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/3.0": top.replace(b"HTTP/1.1", b"HTTP/3.0") + b"Content-Length: 2\r\n\r\n{}", "HTTP/1.10": top.replace(b"HTTP/1.1", b"HTTP/1.10") + b"Content-Length: 2\r\n\r\n{}", "lower case http": top.replace(b"HTTP/1.1", b"http/1.1") + b"Content-Length: 2\r\n\r\n{}", "a thousand fields": top + b"".join(b"X-%d: y\r\n" % n for n in range(1000)) + b"Content-Length: 2\r\n\r\n{}",
        "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "TLS": bytes.fromhex("16030100a5010000a10303") + b"\x5a" * 160, "SSH": b"SSH-2.0-OpenSSH_9.6\r\n", "redis": b"*1\r\n$4\r\nPING\r\n", "PostgreSQL": bytes.fromhex("0000000804d2162f"), "only line ends": b"\r\n" * 200,
    }.items():
        raw("raw", "framing, " + name, data)
