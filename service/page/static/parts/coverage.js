/* How much of each step of time the points of a series cover, from the answer of …/gaps. Pure. */

export const LEVELS = { all: "covered", most: "half or more", some: "less than half", none: "no points" };

/* A level for each of `steps`; null where the series was not looked at yet. Times in milliseconds. */
export function levelsOf(series, startMs, stopMs, steps) {
  const length = (stopMs - startMs) / steps;
  const gaps = series.gaps.map((gap) => [Date.parse(gap.start), gap.stop ? Date.parse(gap.stop) : stopMs]);
  const expectMs = (series.expect_s ?? 0) * 1000;
  const watchedMs = Math.min(series.first ? Date.parse(series.first) : stopMs, gaps[0]?.[0] ?? stopMs);
  if (!series.points && !gaps.length) return Array(steps).fill(series.last || series.silent ? "none" : null);
  const missing = new Float64Array(steps);
  for (const [from, to] of gaps) {
    // A point covers the time up to `expect` after it.
    const begin = Math.max(from === startMs ? from : from + expectMs, startMs), end = Math.min(to, stopMs);
    for (let n = Math.max(0, Math.floor((begin - startMs) / length)); n < steps && startMs + n * length < end; n += 1) {
      missing[n] += Math.max(0, Math.min(end, startMs + (n + 1) * length) - Math.max(begin, startMs + n * length));
    }
  }
  return Array.from(missing, (lost, n) => (startMs + (n + 1) * length <= watchedMs ? null : level(1 - lost / length)));
}

function level(share) {
  if (share >= 0.995) return "all";
  if (share >= 0.5) return "most";
  return share > 0.005 ? "some" : "none";
}

/* A series as one text: measurement, field and tags. */
export function seriesTitle({ measurement, field, tags }) {
  const labels = Object.entries(tags).map(([key, value]) => `${key}=${value}`).join(", ");
  return `${measurement} ${field}${labels ? ` (${labels})` : ""}`;
}

/* Silent ones first, then those that are covered least. */
export function worstFirst(series) {
  const rank = (entry) => (entry.silent ? -2 : 0) + (entry.covered ?? 1.5);
  return [...series].sort((a, b) => rank(a) - rank(b));
}

/* A share as a percentage that is 100 only where nothing is missing. */
export function percent(share) {
  if (share === null) return "–";
  if (share === 1) return "100 %";
  return `${Math.min(99.99, Math.floor(share * 10000) / 100)} %`;
}
