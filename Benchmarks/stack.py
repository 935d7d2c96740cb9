"""The running stack, as the measurements see it."""
import json
import os
import statistics
import time
import urllib.request

import numpy as np
import psycopg

TENANT = "00000000-0000-0000-0000-000000000001"


def median_ms(values):
    return statistics.median(values)


class Stack:
    def __init__(self):
        self.url, self.key = os.environ["BALLAST_URL"], os.environ["BALLAST_API_KEY"]
        self.database = psycopg.connect(os.environ["BALLAST_DATABASE_URL"], autocommit=True)
        self.database.execute("select set_config('app.tenant', %s, false)", [TENANT])

    def server_version(self):
        return self.value("show server_version").split()[0]

    def value(self, sql, parameters=()):
        return self.database.execute(sql, parameters).fetchone()[0]

    def optimize(self, request):
        """The answer and the milliseconds of the whole HTTP request."""
        body = json.dumps(request).encode()
        call = urllib.request.Request(
            self.url + "/api/portfolio/optimize", body, {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"})
        start = time.perf_counter()
        with urllib.request.urlopen(call, timeout=120) as answer:
            body = answer.read()
        return json.loads(body), 1000 * (time.perf_counter() - start)

    def load_synthetic(self, assets, days, prefix="SYN", quietly=False):
        """Closes of invented assets SYN001, SYN002, ...: three common factors and Student-t noise; fixed seed. Quietly: past the change log, for assets that nobody has asked for."""
        self.names = [f"{prefix}{i + 1:03d}" for i in range(assets)]
        random = np.random.default_rng(2026)
        factors = random.standard_t(5, (days - 1, 3)) * [0.008, 0.004, 0.003]
        loadings = np.column_stack([random.uniform(0.5, 1.5, assets), random.normal(0, 0.6, (assets, 2))])
        noise = random.standard_t(5, (days - 1, assets)) * random.uniform(0.006, 0.02, assets)
        returns = np.clip(0.0003 + factors @ loadings.T + noise, -0.5, 0.5)
        closes = np.vstack([np.full(assets, 100.0), 100 * np.cumprod(1 + returns, axis=0)]).round(6)
        dates = np.array([np.datetime64("2019-01-01" if days < 1500 else "2015-01-01") + i for i in range(int(days * 1.5))])
        self.dates = dates[np.is_busday(dates)][:days]
        if self.value("select count(*) from market_data where asset_symbol like %s", [prefix + "%"]) != assets * days:
            self.database.execute("delete from market_data where asset_symbol like %s", [prefix + "%"])
            if quietly:
                self.database.execute("alter table market_data disable trigger rt_insert")
            with self.database.cursor() as cursor, cursor.copy("copy market_data (asset_symbol, timestamp, price) from stdin") as copy:
                for j, name in enumerate(self.names):
                    for i, date in enumerate(self.dates):
                        copy.write_row((name, f"{date} 00:00+00", repr(float(closes[i, j]))))
            if quietly:
                self.database.execute("alter table market_data enable trigger rt_insert")
            self.database.execute("analyze market_data")

    def returns(self, names, start, end):
        """T x N simple returns of the stored closes, as the service sees them."""
        columns = []
        for name in names:
            rows = self.database.execute(
                "select price::float8 from market_data where asset_symbol = %s and timestamp between %s and %s order by timestamp",
                [name, start, end]).fetchall()
            columns.append([row[0] for row in rows])
        prices = np.array(columns).T
        return prices[1:] / prices[:-1] - 1
