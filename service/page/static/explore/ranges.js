/* Ranges and the length of windows. Pure arithmetic in milliseconds since 1970. */

import { seconds } from "../format.js";

export const WINDOWS = ["15m", "1h", "6h", "24h", "7d", "30d", "90d", "365d"];
const DAY = 86400000;
const SHORTEST_MS = 10;
const LONGEST_MS = 200 * 365 * DAY;
const PIXELS_PER_WINDOW = 3;
const FEWEST_WINDOWS = 60;
const STEPS = [
  ["1ms", 1], ["2ms", 2], ["5ms", 5], ["10ms", 10], ["20ms", 20], ["50ms", 50], ["100ms", 100], ["200ms", 200], ["500ms", 500],
  ["1s", 1e3], ["2s", 2e3], ["5s", 5e3], ["10s", 1e4], ["15s", 15e3], ["30s", 3e4],
  ["1m", 6e4], ["2m", 12e4], ["5m", 3e5], ["10m", 6e5], ["15m", 9e5], ["30m", 18e5],
  ["1h", 36e5], ["2h", 72e5], ["3h", 108e5], ["6h", 216e5], ["12h", 432e5],
  ["1d", DAY], ["1w", 7 * DAY], ["1mo", 30.4 * DAY], ["3mo", 91 * DAY], ["1y", 365 * DAY],
];
export const EVERY = STEPS.map(([text]) => text).filter((text) => !text.endsWith("ms"));

/* The length of windows with which a range fills a chart of `width` pixels. */
export function everyFor(spanMs, width) {
  const wanted = spanMs / Math.max(FEWEST_WINDOWS, width / PIXELS_PER_WINDOW);
  return (STEPS.find(([, length]) => length >= wanted) ?? STEPS.at(-1))[0];
}

/* {from, to} of what a view asks for. `nowMs`: where a window that reaches back begins. */
export function resolved({ window, start, stop }, nowMs) {
  if (!start) {
    const length = (seconds(window) ?? 86400) * 1000;
    return { from: nowMs - length, to: nowMs };
  }
  const from = Date.parse(start), to = stop ? Date.parse(stop) : nowMs;
  return Number.isFinite(from) && Number.isFinite(to) && from < to ? { from, to } : null;
}

/* The range `factor` times as long around its middle, or around `at`. */
export function zoomed({ from, to }, factor, at = (from + to) / 2) {
  const length = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, (to - from) * factor));
  const share = (at - from) / (to - from);
  return rounded(at - length * share, at + length * (1 - share));
}

/* The range moved by `share` of its length. */
export function moved({ from, to }, share) {
  const by = (to - from) * share;
  return rounded(from + by, to + by);
}

export function rounded(from, to) {
  const begin = Math.floor(from);
  return { from: begin, to: Math.max(Math.ceil(to), begin + SHORTEST_MS) };
}

export function iso(ms) {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}

/* How far the clock of `zone` is ahead of UTC at a moment, in milliseconds. */
function ahead(ms, zone) {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric",
  }).formatToParts(ms);
  const at = Object.fromEntries(parts.map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(at.year, at.month - 1, at.day, at.hour, at.minute, at.second) - Math.floor(ms / 1000) * 1000;
}

/* A moment as a field of date and time shows it on the clock of `zone`. */
export function clockText(ms, zone) {
  return new Date(ms + ahead(ms, zone)).toISOString().slice(0, 19);
}

/* The moment of such a text; null for no time. Of an hour that comes twice, one of both. */
export function momentOf(text, zone) {
  const clock = Date.parse(`${text}Z`);
  if (!Number.isFinite(clock)) return null;
  const guess = clock - ahead(clock, zone);
  return clock - ahead(guess, zone);
}
