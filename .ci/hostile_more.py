"""More hostile requests, for .ci/hostile: what a money service is asked (rebalancing, holdings, jobs, webhooks, pushed data) and what its first set leaves out.

`add` is given what the cases are made with; a family's name is its first argument.
"""
import json
import urllib.parse


def add(http, raw, optimize, good, panel, key, netloc):
    A = [f"A{n:03d}" for n in range(4)]
    rebalance = {"as_of": "2026-11-20", "currency": "USD", "cash": "12500.00",
                 "holdings": [{"asset": "AAPL", "lots": [{"id": "L1", "acquired": "2024-03-01", "quantity": "120", "basis_per_share": "172.40"}]}],
                 "target": {"AAPL": 0.30, "MSFT": 0.45, "CASH": 0.25},
                 "prices": {"AAPL": {"price": "230.10"}, "MSFT": {"price": "410.00"}},
                 "covariance": {"assets": ["AAPL", "MSFT"], "values": [[0.08, 0.04], [0.04, 0.07]]}}

    def plan(family, name, **changes):
        http(family, f"plan, {name}", "POST", "/api/portfolio/rebalance", {**rebalance, **changes})

    def lot(**changes):
        return [{"asset": "AAPL", "lots": [{"id": "L1", "acquired": "2024-03-01", "quantity": "120", "basis_per_share": "172.40", **changes}]}]

    # Decimals as texts.
    for text in ("1e-5000", "1e5000", "0x10", "1_000", "1,000", "\u2212" "1", "\u0661\u0662", "1.", ".5", "+5", " 5", "5 ", "", "-0", "-0.00", "NaN", "Infinity", "1/3", "9" * 40, "0." + "0" * 60 + "1", "1e", "--1", "1.2.3", "\uff11"):
        plan("types", f"cash {text[:20]!r}", cash=text)
        plan("types", f"quantity {text[:20]!r}", holdings=lot(quantity=text))
        plan("types", f"price {text[:20]!r}", prices={"AAPL": {"price": text}, "MSFT": {"price": "1"}})
    for name, value in {"true": True, "null": None, "list": [1], "object": {"value": 1}, "16 digits": 0.1234567890123456, "2^53+1": 9007199254740993, "1e22": 1e22}.items():
        plan("types", f"cash is {name}", cash=value)
        plan("types", f"target is {name}", target={"AAPL": value})

    # Plans that make no sense.
    for name, changes in {
        "no lots": {"holdings": [{"asset": "AAPL", "lots": []}]}, "the same lot twice": {"holdings": lot() + lot()}, "one asset twice": {"holdings": [lot()[0], {**lot()[0], "lots": [{**lot()[0]["lots"][0], "id": "L2"}]}]},
        "bought tomorrow": {"holdings": lot(acquired="2099-01-01")}, "bought in 1500": {"holdings": lot(acquired="1500-01-01")}, "negative quantity": {"holdings": lot(quantity="-5")}, "negative basis": {"holdings": lot(basis_per_share="-1")},
        "no price": {"prices": {}}, "price of zero": {"prices": {"AAPL": {"price": "0"}, "MSFT": {"price": "1"}}}, "negative spread": {"prices": {"AAPL": {"price": "230", "half_spread": "-1"}, "MSFT": {"price": "1"}}}, "spread above the price": {"prices": {"AAPL": {"price": "1", "half_spread": "5"}, "MSFT": {"price": "1"}}},
        "target of two": {"target": {"AAPL": 1, "MSFT": 1}}, "target of nothing": {"target": {}}, "negative target": {"target": {"AAPL": -0.5, "MSFT": 1.5}}, "a stranger's target": {"target": {"NOSUCH": 1}}, "a huge target": {"target": {"AAPL": 1e300}}, "a tiny target": {"target": {"AAPL": 5e-324, "MSFT": 1}},
        "no currency": {"currency": ""}, "a long currency": {"currency": "U" * 4000}, "no day": {"as_of": "2026-02-30"}, "the year 1": {"as_of": "0001-01-01"}, "debts": {"cash": "-1e9"}, "a wealth": {"cash": "1e14"}, "nothing at all": {"cash": "0", "holdings": []},
        "covariance not square": {"covariance": {"assets": ["AAPL", "MSFT"], "values": [[0.08, 0.04]]}}, "covariance not symmetric": {"covariance": {"assets": ["AAPL", "MSFT"], "values": [[0.08, 0.9], [0.04, 0.07]]}}, "covariance not positive": {"covariance": {"assets": ["AAPL", "MSFT"], "values": [[0.01, 5], [5, 0.01]]}},
        "covariance of others": {"covariance": {"assets": ["X", "Y"], "values": [[0.08, 0.04], [0.04, 0.07]]}}, "covariance of zeros": {"covariance": {"assets": ["AAPL", "MSFT"], "values": [[0, 0], [0, 0]]}}, "negative variance": {"covariance": {"assets": ["AAPL", "MSFT"], "values": [[-1, 0], [0, 1]]}},
    }.items():
        plan("data", name, **changes)
    for name, settings in {
        "risk aversion -1": {"risk_aversion": -1}, "risk aversion 1e300": {"risk_aversion": 1e300}, "horizon 0": {"horizon_years": 0}, "horizon 1e9": {"horizon_years": 1e9}, "commission -1": {"costs": {"commission": {"per_share": "-1"}}}, "commission of everything": {"costs": {"commission": {"maximum_rate": "1000"}}},
        "tax of 300 %": {"tax": {"mode": "netted_year", "rate_short": "3"}}, "no such mode": {"tax": {"mode": "NETTED_YEAR"}}, "a lot of -1": {"constraints": {"lot_size": -1}}, "a lot of 1e-30": {"constraints": {"lot_size": 1e-30}}, "trades -1": {"constraints": {"max_trades": -1}}, "trades 1e18": {"constraints": {"max_trades": 1000000000000000000}},
        "half a trade": {"constraints": {"max_trades": 0.5}}, "participation 2": {"constraints": {"participation": 2}}, "turnover -1": {"constraints": {"turnover": -1}}, "floor above wealth": {"constraints": {"cash_floor": "99999999"}}, "locked strangers": {"constraints": {"locked_lots": ["X"] * 5000}}, "threshold NaN": {"thresholds": {"half_l1": "NaN"}},
        "gate -1": {"cost_gate": {"max_cost_bps": -1}}, "unknown": {"settingss": 1}, "a list": [1, 2],
    }.items():
        plan("bounds", name, settings=settings)
    plan("size", "2,000 holdings", holdings=[{"asset": f"S{n}", "lots": [{"id": f"L{n}", "acquired": "2024-03-01", "quantity": "1", "basis_per_share": "1"}]} for n in range(2000)])
    plan("size", "an asset of 3,000 lots", holdings=[{"asset": "AAPL", "lots": [{"id": f"L{n}", "acquired": "2024-03-01", "quantity": "1", "basis_per_share": str(100 + n % 50)} for n in range(3000)]}])
    plan("depth", "settings 500 deep", settings=json.loads('{"a":' * 30 + "1" + "}" * 30))

    # States of things that are not there, and bodies where none belongs.
    for method, path in (("POST", "/api/rebalance/{}/confirm"), ("POST", "/api/rebalance/{}/execute"), ("POST", "/api/rebalance/{}/cancel"), ("POST", "/api/rebalance/{}/reject"), ("GET", "/api/rebalance/{}/events"), ("GET", "/api/jobs/{}/events"), ("DELETE", "/api/jobs/{}"), ("DELETE", "/api/webhooks/{}"),
                         ("PUT", "/api/portfolio/{}/recalculation"), ("GET", "/api/portfolio/{}/gains")):
        for name in ("-1", "%2e%2e%2f", "00000000-0000-0000-0000-000000000000", "\u0000".encode().hex(), "%F0%9F%92%A5", "x" * 300):
            http("http", f"{method} {path} of {name[:20]}", method, path.format(name), {"plan_hash": "x", "enabled": True} if method in ("POST", "PUT") else None, headers=[("Idempotency-Key", "hostile-key-1")])
    for value in ("0", "-1", "99999999999999999999", "1 OR 1=1", "\t"):
        http("http", f"Last-Event-ID {value!r}", "GET", "/api/jobs/nosuch12345678/events", headers=[("Last-Event-ID", value)])
    for name, value in (("If-Match", '"x", *'), ("If-None-Match", 'W/"' + "e" * 2000), ("X-HTTP-Method-Override", "DELETE"), ("Content-Language", "x" * 500), ("Accept", "application/json;q=0"), ("Accept-Charset", "utf-16"), ("Max-Forwards", "-1"), ("Via", "1.1 x, " * 200), ("Forwarded", "for=[::1]"), ("Content-Location", "/x"),
                        ("tracestate", "a=" + "b" * 600), ("baggage", ",".join(f"k{n}=v" for n in range(300))), ("Date", "yesterday"), ("Content-MD5", "x"), ("Prefer", "respond-async; wait"), ("Prefer", "return=minimal, " * 100)):
        optimize("http", f"{name}: {value[:30]}", good(), headers=[(name, value)])
    optimize("http", "two content types", good(), headers=[("Content-Type", "text/plain")])
    optimize("http", "a deadline twice", good(), headers=[("X-Request-Timeout", "2"), ("X-Request-Timeout", "3")])
    optimize("http", "two request ids", good(), headers=[("X-Request-ID", "first-request"), ("x-request-id", "second-request")])
    for media in ("application/json;charset=\"utf-8", "application/json; charset=utf-7", "application/jsonx", "APPLICATION/JSON", "application/problem+json", "application/merge-patch+json", "*/*", "application/json, text/plain"):
        optimize("http", f"media type {media}", good(), media=media)

    # JSON that readers disagree about.
    for name, body in {
        "a form feed": b'{"objective":\x0c"MinRisk"}', "a vertical tab": b'{"objective":\x0b"MinRisk"}', "a fixed space": '{"objective":\u00a0"MinRisk"}'.encode(), "a line separator": '{"objective":\u2028"MinRisk"}'.encode(), "a mark within": '{"objective":\ufeff"MinRisk"}'.encode(), "only carriage returns": b'{\r"objective":\r"MinRisk"\r}',
        "minus zero": b'{"risk_free_rate":-0}', "minus nothing": b'{"risk_free_rate":-}', "E without digits": b'{"risk_free_rate":1E+}', "capital E": b'{"risk_free_rate":1E-2}', "True": b'{"store":True}', "undefined": b'{"store":undefined}', "a date object": b'{"end_date":{"$date":"2020-01-01"}}',
        "a key with a null byte": b'{"a\\u0000":1}', "escaped slash": b'{"n\\/ame":1}', "escaped key": b'{"\\u0061ssets":["AAPL","MSFT"],"store":false}', "DEL": b'{"name":"\x7f"}', "C1": '{"name":"\u0085\u009f"}'.encode(), "bidi": '{"name":"\u2066\u2069\u202e"}'.encode(), "tags": '{"name":"\U000e0041"}'.encode(),
        "a thousand combining marks": ('{"name":"a' + "\u0301" * 1000 + '"}').encode(), "private use": '{"name":"\ue000"}'.encode(), "newline in a key": b'{"a\nb":1}', "400 digits": b'{"risk_free_rate":' + b"9" * 400 + b"}", "a nested string of JSON": json.dumps({"assets": json.dumps(["AAPL"])}).encode(), "base64": b"eyJhc3NldHMiOltdfQ==",
        "NDJSON": b'{"assets":["AAPL"]}\n{"assets":["MSFT"]}\n', "JSON text sequence": b"\x1e{}\n", "XML": b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>", "YAML": b"assets: [AAPL, &a [*a]]", "CBOR": b"\xa1\x66assets\x81\x64AAPL", "MessagePack": b"\x81\xa6assets\x91\xa4AAPL", "pickle": b"\x80\x04cos\nsystem\n."
    }.items():
        optimize("json", name, body)

    # Groups and expressions.
    for name, constraints in {
        "ten thousand groups": {"groups": {f"G{n}": [A[n % 4]] for n in range(10000)}}, "a group of groups": {"groups": {"G": ["H"], "H": ["G"]}}, "minima above one": {"groups": {x: [x] for x in A}, "group_constraints": {x: {"min": 0.3} for x in A}}, "min null": {"groups": {"G": A}, "group_constraints": {"G": {"min": None}}},
        "prototype": {"groups": {"__proto__": A, "constructor": A}}, "a group named CASH": {"groups": {"CASH": A}, "group_constraints": {"CASH": {"max": 0.5}}}, "an operator": {"groups": {"<=": A}, "linear": ["<= <= 0.5"]}, "a space": {"groups": {"G H": A}, "linear": ["G H <= 0.5"]}, "a number": {"groups": {"1": A}, "linear": ["1 <= 0.5"]},
        "division": {"linear": ["A000 / A001 <= 1"]}, "a product": {"linear": ["A000 * A001 <= 1"]}, "no sides": {"linear": ["<="]}, "three sides": {"linear": ["0 <= A000 <= 1"]}, "strict": {"linear": ["A000 < 0.5"]}, "ten thousand minuses": {"linear": ["-" * 10000 + "A000 <= 1"]}, "a number of 10,000 digits": {"linear": ["A000 <= 0." + "1" * 10000]},
        "1e999": {"linear": ["1e999 A000 <= 1"]}, "nan": {"linear": ["nan <= A000"]}, "nothing left": {"linear": ["A000 - A000 <= -1"]}, "coefficients of strangers": {"linear": [{"name": "x", "coefficients": {"ZZZ": 1}, "max": 1}]}, "no bounds": {"linear": [{"name": "x", "coefficients": {"A000": 1}}]}, "crossed": {"linear": [{"coefficients": {"A000": 1}, "min": 2, "max": 1}]},
        "ten thousand rows": {"linear": [{"name": f"r{n}", "coefficients": {"A000": 1 + n * 1e-9}, "max": 1} for n in range(3000)]}, "exclusive with itself": {"mutually_exclusive": [["A000", "A000"]]}, "all exclusive": {"mutually_exclusive": [[a, b] for a in A for b in A if a < b]}, "joined and exclusive": {"join": [["A000", "A001"]], "mutually_exclusive": [["A000", "A001"]]},
        "soft stranger": {"soft": {"no_such": 1}}, "soft -1": {"turnover": {"from": {"A000": 1}, "total": 0.1}, "soft": {"turnover": -1}}, "from nobody": {"turnover": {"from": {"ZZZ": 1}, "total": 0.1}}, "from twice the money": {"turnover": {"from": {"A000": 2}, "total": 0.1}}, "benchmark of another": {"benchmark": {"ZZZ": 1}, "tracking_error": 0.01},
        "benchmark too short": {"benchmark_returns": [0.01], "tracking_error": 0.01}, "risk below what is possible": {"max_risk": {"MV": 1e-12}}, "forty risks": {"max_risk": {m: 0.02 for m in ("MV", "CVaR", "EVaR", "MAD", "WR", "MDD", "CDaR", "UCI", "GMD", "TG")}}, "a risk nobody knows": {"max_risk": {"XVaR": 0.02}},
    }.items():
        optimize("groups", name, good(constraints=constraints))

    # Injection by other ways in.
    for text in ("=cmd|' /C calc'!A0", "@SUM(1)", "\\copy market_data to '/tmp/x'", "'||(select pg_sleep(9))||'", "\x1b[2J", "a\u2028b", "%0d%0aX-A: b", "{{constructor}}", "\u0000", "../" * 40 + "etc/shadow"):
        http("injection", f"table {text[:20]!r}", "POST", "/api/market-data", f"asset_symbol,timestamp,price\n{text},2020-01-01T00:00:00Z,1\n".encode(), media="text/csv")
        http("injection", f"webhook events {text[:20]!r}", "POST", "/api/webhooks", {"url": "https://example.org/x", "events": [text]})
        http("injection", f"key {text[:20]!r}", "POST", "/api/portfolio/nosuch12345678/rebalance", {}, headers=[("Idempotency-Key", urllib.parse.quote(text))])
        plan("injection", f"lot {text[:20]!r}", holdings=lot(id=text))
        optimize("injection", f"column {text[:20]!r}", {"returns": {"dates": ["2023-01-02", "2023-01-03", "2023-01-04"], "values": {text: [0.1, 0.2, 0.1], "B": [0.2, 0.1, 0.3]}}, "objective": "MinRisk"})
    for address in ("https://[::ffff:127.0.0.1]/", "https://2130706433/", "https://0x7f000001/", "https://127.1/", "https://localhost./", "https://0/", "https://[fe80::1%25eth0]/", "https://example.org:99999/", "https://example.org\\@127.0.0.1/", "https://\u2460\u2461\u2466.0.0.1/", "https://metadata.google.internal/", "https://example.org/\r\nHost: x", "//example.org", "https:///x", "https://."):
        http("injection", f"webhook {address[:30]}", "POST", "/api/webhooks", {"url": address, "events": ["*"]})

    # Dates and data that nearly are.
    for moment in ("2016-12-31T23:59:60Z", "2020-01-01T24:00:00Z", "2020-01-01T00:00:00+24:00", "2020-01-01T00:00:00", "2020-01-01t00:00:00z", "2020-01-01T00:00:00.123456789123Z", "1969-12-31T23:59:59Z", "4713-01-01 BC", "infinity", "-infinity", "epoch", "now", "1577836800", "2020-01-01T00:00:00Z[Europe/Paris]", "2020-001"):
        http("dates", f"pushed {moment}", "POST", "/api/market-data", json.dumps({"asset_symbol": "HOST2", "timestamp": moment, "price": 1}).encode(), media="application/x-ndjson")
        optimize("dates", f"panel {moment}", {"returns": {"dates": [moment, "2030-01-01", "2031-01-01"], "values": {"A": [0.1, 0.2, 0.3], "B": [0.3, 0.1, 0.2]}}, "objective": "MinRisk"})
    for name, values in {"everything lost": [-1.0] * 4, "alternating": [1e-9, -1e-9] * 2, "the largest": [1.7e308, 0, 0, 0], "the smallest": [5e-324] * 4, "one null": [None, 0.1, 0.2, 0.1], "texts": ["0.1"] * 4, "true": [True] * 4, "too deep": [[0.1]] * 4}.items():
        days = ["2023-01-02", "2023-01-03", "2023-01-04", "2023-01-05"]
        for objective in ("MinRisk", "Sharpe", "Utility", "MaxRet"):
            optimize("data", f"{name}, {objective}", {"returns": {"dates": days, "values": {"A": values, "B": [0.01, -0.02, 0.03, 0.01]}}, "objective": objective, "risk_measure": "CVaR"})
    for name, body in {
        "weights of nothing": {}, "weights of strangers": {"ZZZ": 1}, "weights of a billion": {a: 1e9 for a in A}, "negative weights": {a: -0.25 for a in A}, "a text": {"A000": "1"}, "nan text": {"A000": "NaN"}, "one null": {"A000": None}, "tiny": {"A000": 5e-324},
    }.items():
        http("data", f"metrics, {name}", "POST", "/api/portfolio/metrics", {"returns": panel(4, 60), "weights": body})
    for name, more in {"train 0": {"train": 0}, "train -1": {"train": -1}, "test 1e9": {"test": 10**9}, "everything at once": {"walk_forward": {"train": 10**6, "test": 1}}, "an unknown scheme": {"scheme": "leave_one_out"}, "costs of -1": {"costs": -1}}.items():
        http("data", f"backtest, {name}", "POST", "/api/portfolio/backtest", {"returns": panel(4, 60), "objective": "MinRisk", **more})

    # Names that nearly are, and credentials by other ways.
    for word in ("MINRISK", "minrisk", "\u041cinRisk", "\uff2d\uff49\uff4e\uff32\uff49\uff53\uff4b", "MinRisk\u200d", "Min Risk", "MinRisk;Sharpe", "MaxRisk"):
        optimize("enums", f"objective {word!r}", good(objective=word))
        http("enums", f"backtest objective {word!r}", "POST", "/api/portfolio/backtest", {"returns": panel(4, 60), "objective": word})
    for query in ("api_key", "apikey", "access_token", "key", "token"):
        http("auth", f"?{query}=", "GET", f"/api/portfolio?{query}={key}", key=None)
    for value in (f"BEARER {key}x", f"Bearer {key},{key}", f"Bearer\u00a0{key}", f"Token {key}", f"Bearer {key}\t", f'Bearer "{key}"'):
        http("auth", f"Authorization: {value[:12]!r}", "POST", "/api/portfolio/optimize", good(), key=None, headers=[("Authorization", value)])
    optimize("auth", "two credentials that differ", good(), headers=[("x-api-key", "bk_" + "A" * 8 + "_" + "B" * 43)])
    optimize("auth", "the same twice", good(), headers=[("Authorization", f"Bearer {key}")])

    # More than is good.
    for name, body in {
        "cardinality 2 of 200": {"returns": panel(200, 60), "objective": "MinRisk", "constraints": {"cardinality": 2}}, "300 assets, 40 days": {"returns": panel(300, 40), "objective": "Sharpe", "risk_measure": "MAD"}, "NCO of 200": {"returns": panel(200, 60), "model": "NCO", "objective": "MinRisk", "risk_measure": "MV"},
        "graphical lasso": {"returns": panel(40, 60), "objective": "MinRisk", "covariance_estimator": {"method": "gl"}}, "a million points": {**good(), "efficient_frontier": 10**6}, "a thousand points by risk": {**good(), "risk_measure": "EVaR", "efficient_frontier": {"points": 1000, "by": "risk"}}, "alpha of 1e-9": {**good(), "risk_measure": "RLVaR", "alpha": 1e-9},
        "kappa nearly one": {**good(), "risk_measure": "RLVaR", "kappa": 0.999999999}, "ten thousand views": {**good(), "model": "BL", "views": {"items": [{"weights": {"A000": 1}, "return": n * 1e-9} for n in range(10000)]}}, "views that contradict": {**good(), "model": "EP", "views": {"items": ["A000 == 5", "A000 == -5"]}},
        "a power of 200": {**good(), "risk_measure": "EM", "power": 200}, "a ball of everything": {**good(), "model": "WorstCase", "objective": "MinRisk", "uncertainty": {"mean": {"set": "box", "delta": 1e12}}}, "budgets of nothing": {**good(), "model": "RiskParity", "risk_budget": {a: 0 for a in A}}, "one budget": {**good(), "model": "RiskParity", "risk_budget": {"A000": 1}},
    }.items():
        optimize("heavy", name, body, headers=[("X-Request-Timeout", "3")])
    optimize("size", "200,000 numbers", {"returns": panel(4, 9000), "objective": "MinRisk"})
    optimize("size", "a column's name of 100 KB", {"returns": {"dates": ["2023-01-02", "2023-01-03", "2023-01-04"], "values": {"A" * 100_000: [0.1, 0.2, 0.1]}}})
    http("size", "5,000 events", "POST", "/api/webhooks", {"url": "https://example.org/x", "events": ["portfolio.recalculated"] * 5000})
    http("size", "one line of a megabyte", "POST", "/api/market-data", b'{"asset_symbol":"' + b"A" * 900_000 + b'"}', media="application/x-ndjson")
    http("size", "100,000 empty lines", "POST", "/api/market-data", b"\n" * 100_000, media="application/x-ndjson")

    # Bytes around a request that would be answered before it is routed.
    top = f"POST /api/portfolio/optimize HTTP/1.1\r\nHost: {netloc}\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n".encode()
    body = json.dumps({"assets": ["AAPL", "MSFT"], "objective": "MinRisk", "store": False}).encode()
    length = f"Content-Length: {len(body)}\r\n\r\n".encode()
    chunks = b"Transfer-Encoding: chunked\r\n\r\n"
    for name, data in {
        "twenty in a row": (top + length + body) * 20, "garbage after one": top + length + body + b"GARBAGE\r\n\r\n", "a longer body than said": top + length + body * 2, "a get between": top + length + body + f"GET /openapi.json HTTP/1.1\r\nHost: {netloc}\r\nConnection: close\r\n\r\n".encode() + top + length + body,
        "closed between": top + b"Connection: close\r\n" + length + body + top + length + body, "keep-alive and close": top + b"Connection: keep-alive, close\r\n" + length + body, "HTTP/1.0 kept": top.replace(b"HTTP/1.1", b"HTTP/1.0") + b"Connection: keep-alive\r\n" + length + body, "HTTP/1.0": top.replace(b"HTTP/1.1", b"HTTP/1.0") + length + body,
        "a byte a chunk": top + chunks + b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n", "chunk extensions": top + chunks + b"%x;a=%s\r\n" % (len(body), b"x" * 5000) + body + b"\r\n0\r\n\r\n", "an empty chunk first": top + chunks + b"0\r\n\r\n" + body, "chunks in upper case": top + chunks + b"%X\r\n" % len(body) + body + b"\r\n0\r\n\r\n",
        "200 trailers": top + chunks + b"%x\r\n" % len(body) + body + b"\r\n0\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(200)) + b"\r\n", "a trailer of a length": top + chunks + b"%x\r\n" % len(body) + body + b"\r\n0\r\nContent-Length: 5\r\n\r\n", "a space in a chunk's size": top + chunks + b"%x \r\n" % len(body) + body + b"\r\n0\r\n\r\n", "a sign in a chunk's size": top + chunks + b"+%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n",
        "a length with a sign": top + b"Content-Length: +%d\r\n\r\n" % len(body) + body, "a length in zeros": top + b"Content-Length: 000%d\r\n\r\n" % len(body) + body, "a length twice, equal": top + b"Content-Length: %d\r\n" % len(body) + length + body, "a list of lengths": top + b"Content-Length: %d, %d\r\n\r\n" % (len(body), len(body)) + body, "a length in hexadecimal": top + b"Content-Length: 0x%x\r\n\r\n" % len(body) + body,
        "a coding in capitals": top + b"Transfer-Encoding: CHUNKED\r\n\r\n%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n", "a coding after a tab": top + b"Transfer-Encoding:\tchunked\r\n\r\n%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n", "gzip, chunked": top + b"Transfer-Encoding: gzip, chunked\r\n\r\n%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n", "chunked, identity": top + b"Transfer-Encoding: chunked, identity\r\n\r\n%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n",
        "absolute": top.replace(b"/api/portfolio/optimize", f"http://{netloc}/api/portfolio/optimize".encode()) + length + body, "a fragment": top.replace(b"optimize HTTP", b"optimize#x HTTP") + length + body, "encoded letters": top.replace(b"optimize HTTP", b"%6fptimize HTTP") + length + body, "an empty query": top.replace(b"optimize HTTP", b"optimize? HTTP") + length + body,
        "two hosts": top + b"Host: evil.example\r\n" + length + body, "no credentials twice": top.replace(f"Authorization: Bearer {key}\r\n".encode(), b"") + length + body, "a carriage return alone": top + b"X-A: b\rX-B: c\r\n" + length + body, "a field without a colon": top + b"X-A\r\n" + length + body, "expect and a body": top + b"Expect: 100-continue\r\n" + length + body, "a body that is cut": top + length + body[:-5],
    }.items():
        raw("raw", f"early, {name}", data)
