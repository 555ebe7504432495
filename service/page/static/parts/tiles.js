/* What is known of each series on the live page: values by device, with their ages. Pure. */

/* A key for the series of a row of format=rows. */
function seriesKey({ bucket, measurement, tags, field }) {
  return JSON.stringify([bucket, measurement, field, Object.entries(tags).sort()]);
}

/* The rows of all series. A series without new points stays as it was, so that its silence is seen. */
export class LatestRows {
  rows = new Map();

  /* Takes an event of the stream, or an answer of /telemetry/latest as a `state`. Gives the keys of changed rows. */
  take(document) {
    const changed = new Set();
    for (const row of document.rows) {
      const key = seriesKey(row), known = this.rows.get(key);
      if (known && known.time === row.time && Object.is(known.value, row.value)) continue;
      this.rows.set(key, row);
      changed.add(key);
    }
    return changed;
  }

  /* The tiles: one for each value of the tag `by`, or, without it, for each measurement with its tags. */
  tiles(by) {
    const tiles = new Map();
    for (const [key, row] of this.rows) {
      const labels = Object.entries(row.tags).sort();
      const title = by ? row.tags[by] ?? "–" : labels.map(([, value]) => value).join(" · ") || row.measurement;
      const id = by ? title : JSON.stringify([row.bucket, row.measurement, labels]);
      const tile = tiles.get(id) ?? { id, title, subtitle: by ? row.bucket : `${row.bucket} · ${row.measurement}`, newest: "", values: [] };
      tile.values.push({ key, label: by ? `${row.measurement} ${row.field}` : row.field, ...row });
      if (row.time > tile.newest) tile.newest = row.time;
      tiles.set(id, tile);
    }
    return [...tiles.values()].sort((a, b) => a.title.localeCompare(b.title, "en", { numeric: true }) || (a.id < b.id ? -1 : 1));
  }

  tagKeys() {
    return [...new Set([...this.rows.values()].flatMap((row) => Object.keys(row.tags)))].sort();
  }
}
