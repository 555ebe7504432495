"""What people use to post a bucket to an API: influxdb-client, a DataFrame, json and requests, 10,000 values a post.

Run as its own process by bench/forward.py.
"""

import json
import sys

import pandas as pd
import requests
from influxdb_client import InfluxDBClient

_BATCH = 10_000

if __name__ == "__main__":
    url, token, org, flux, endpoint = sys.argv[1:6]
    with InfluxDBClient(url=url, token=token, org=org, timeout=600_000) as client, requests.Session() as session:
        tables = client.query_api().query(flux)
        frame = pd.DataFrame([record.values for table in tables for record in table.records])
        frame["sensor"] = frame["_measurement"] + "." + frame["_field"] + "." + frame["host"]
        frame["timestamp"] = frame["_time"].map(lambda time: time.isoformat())
        for first in range(0, len(frame), _BATCH):
            piece = frame.iloc[first : first + _BATCH]
            data = {
                sensor: [{"timestamp": time, "value": value} for time, value in zip(of["timestamp"], of["_value"])]  # noqa: B905
                for sensor, of in piece.groupby("sensor")
            }
            headers = {"Content-Type": "application/json"}
            session.post(endpoint, data=json.dumps({"data": data}), headers=headers, timeout=60).raise_for_status()
