#!/usr/bin/env python3
"""Subscribes with Supabase's own client to ballast.portfolio_result and prints each change as one line of JSON."""
import asyncio
import json
import os
import sys

from realtime import AsyncRealtimeClient, RealtimeSubscribeStates


def show(message):
    print(json.dumps(message), flush=True)


async def main():
    client = AsyncRealtimeClient(os.environ["BALLAST_REALTIME_URL"], os.environ["BALLAST_API_KEY"])
    channel = client.channel("end-to-end")

    def changed(payload):
        data = payload.get("data", payload)
        show({"type": data.get("type") or data.get("eventType"), "record": {"portfolio_id": (data.get("record") or data.get("new") or {}).get("portfolio_id")}})

    def state(status, error):
        if status == RealtimeSubscribeStates.SUBSCRIBED:
            show({"subscribed": True})
        elif error is not None:
            print(f"{status}: {error}", file=sys.stderr, flush=True)

    channel.on_postgres_changes("INSERT", schema="ballast", table="portfolio_result", callback=changed)
    await channel.subscribe(state)
    parent = os.getppid()
    while os.getppid() == parent:  # ends with whoever started it
        await asyncio.sleep(1)


asyncio.run(main())
