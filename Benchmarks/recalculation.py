"""From the COMMIT of a changed price to the stored result of the portfolio that holds it."""
import os

import psycopg

PORTFOLIO = "bench-recalculation"


def latency(stack, count):
    names = stack.names[:20]
    stack.optimize({
        "portfolio_id": PORTFOLIO, "assets": names, "start_date": str(stack.dates[0]), "model": "Classic", "risk_measure": "MV", "objective": "Sharpe",
        "constraints": {"lower_bound": 0, "upper_bound": 0.3}})
    quiet_ms = stack.value("select quiet_ms from ballast.portfolio where portfolio_id = %s", [PORTFOLIO])
    last = f"{stack.dates[-1]} 00:00+00"
    listener = psycopg.connect(os.environ["BALLAST_DATABASE_URL"], autocommit=True)
    listener.execute("listen rt")
    times = []
    for i in range(count):
        revision = stack.value("select max(revision) from ballast.portfolio_result where portfolio_id = %s", [PORTFOLIO])
        name = names[i % len(names)]
        stack.database.execute(
            "update market_data set price = price + 0.000001 where asset_symbol = %s and timestamp = %s", [name, last])
        created = None
        while created is None:
            for _ in listener.notifies(timeout=10, stop_after=1):
                pass
            row = stack.database.execute(
                "select created_at from ballast.portfolio_result where portfolio_id = %s and revision > %s order by revision limit 1",
                [PORTFOLIO, revision]).fetchone()
            created = row and row[0]
        commit = stack.value("select pg_xact_commit_timestamp(xmin) from market_data where asset_symbol = %s and timestamp = %s", [name, last])
        times.append(1000 * (created - commit).total_seconds() - quiet_ms)
    return times, quiet_ms
