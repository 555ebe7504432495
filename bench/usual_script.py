"""What people use today: influxdb-client, records into a DataFrame, to_csv.

Run as its own process by bench/reads.py.
"""

import sys

import pandas as pd
from influxdb_client import InfluxDBClient

if __name__ == "__main__":
    url, token, org, flux = sys.argv[1:5]
    with InfluxDBClient(url=url, token=token, org=org, timeout=600_000) as client:
        tables = client.query_api().query(flux)
        records = [record.values for table in tables for record in table.records]
        pd.DataFrame(records).to_csv("/dev/null", index=False)
