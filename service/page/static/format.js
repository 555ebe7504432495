/* Times, numbers and names as people read them. Pure: nothing here touches the document. */

const UNITS = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };

/* Seconds of a duration such as 90s or 7d; null for anything else. */
export function seconds(text) {
  const match = /^([0-9]{1,9})([smhdw])$/.exec(text ?? "");
  return match ? Number(match[1]) * UNITS[match[2]] : null;
}

/* A duration in its two largest units: 3 d 4 h, 12 min, 40 s. */
export function duration(total) {
  const left = Math.max(0, Math.round(total));
  if (left < 60) return `${left} s`;
  if (left < 3600) return parts([left / 60, "min"], [left % 60, "s"]);
  if (left < 86400) return parts([left / 3600, "h"], [(left % 3600) / 60, "min"]);
  return parts([left / 86400, "d"], [(left % 86400) / 3600, "h"]);
}

function parts([large, largeUnit], [small, smallUnit]) {
  const rest = Math.floor(small);
  return `${Math.floor(large)} ${largeUnit}${rest && large < 10 ? ` ${rest} ${smallUnit}` : ""}`;
}

/* How long ago a time was: `5 min ago`, `in 2 h`, `never`. */
export function ago(time, nowMs = Date.now()) {
  if (!time) return "never";
  const difference = (nowMs - new Date(time).getTime()) / 1000;
  if (Math.abs(difference) < 1) return "now";
  return difference > 0 ? `${duration(difference)} ago` : `in ${duration(-difference)}`;
}

/* A time to the second. `zone`: an IANA name or UTC; without one, the browser's. */
export function time(value, zone) {
  const date = new Date(value);
  if (!value || Number.isNaN(date.getTime())) return value ? String(value) : "–";
  const format = new Intl.DateTimeFormat("sv-SE", {
    dateStyle: "short", timeStyle: "medium", ...(zone ? { timeZone: zone } : {}),
  });
  return format.format(date);
}

export function localZone() {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

/* A number with at most six significant digits and separated thousands; texts stay as they are. */
export function number(value) {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value !== "number") return String(value);
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e12 || size < 1e-4)) return value.toExponential(4);
  return value.toLocaleString("en-US", { maximumSignificantDigits: size >= 1e6 ? 12 : 6 });
}

export function count(value) {
  return Number(value ?? 0).toLocaleString("en-US");
}

export function bytes(size) {
  const names = ["B", "kB", "MB", "GB", "TB"];
  let rest = Number(size), step = 0;
  while (rest >= 1000 && step < names.length - 1) { rest /= 1000; step += 1; }
  return `${step && rest < 100 ? rest.toFixed(1) : Math.round(rest)} ${names[step]}`;
}

/* At most `most` characters, with an ellipsis; letters that are made of several code units stay whole. */
export function short(text, most = 60) {
  const letters = [...String(text)];
  return letters.length <= most ? String(text) : `${letters.slice(0, most - 1).join("")}…`;
}

const NAMED_UNITS = {
  kwh: "kWh", wh: "Wh", mwh: "MWh", kw: "kW", mw: "MW", kva: "kVA", celsius: "°C", degc: "°C", fahrenheit: "°F", kelvin: "K",
  percent: "%", pct: "%", hpa: "hPa", kpa: "kPa", pa: "Pa", bar: "bar", mbar: "mbar", volts: "V", volt: "V", amps: "A", amperes: "A",
  hz: "Hz", khz: "kHz", rpm: "rpm", ms: "ms", seconds: "s", minutes: "min", hours: "h", mm: "mm", cm: "cm", km: "km", kg: "kg",
  lux: "lx", ppm: "ppm", ppb: "ppb", bytes: "B", watts: "W", kmh: "km/h",
};

/* The unit that a name ends with, as in `power_kw` or `Flow (m³/h)`; empty where it says none. Nothing is guessed. */
export function unitOf(name) {
  const bracketed = /[([]([^()[\]]{1,12})[)\]]\s*$/u.exec(name)?.[1];
  return bracketed ?? NAMED_UNITS[/[\s_.-]([a-z]+)$/i.exec(name)?.[1].toLowerCase()] ?? "";
}
