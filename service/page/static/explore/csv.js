/* CSV as the gateway writes it (RFC 4180), kept as texts: no number loses a digit. Pure. */

/* Rows of cells. An absent value is null, an empty text is "". */
export function parsed(text) {
  const rows = [];
  let row = [], at = 0;
  while (at < text.length) {
    let cell;
    if (text[at] === '"') {
      let end = at + 1;
      while (text[end] !== '"' || text[end + 1] === '"') {
        end = text.indexOf('"', text[end] === '"' ? end + 2 : end);
        if (end < 0) throw new Error("A text in the answer has no end.");
      }
      cell = text.slice(at + 1, end).replaceAll('""', '"');
      at = end + 1;
    } else {
      let end = at;
      while (end < text.length && text[end] !== "," && text[end] !== "\n") end += 1;
      cell = end === at ? null : text.slice(at, end);
      at = end;
    }
    row.push(cell);
    if (text[at] === ",") {
      at += 1;
      if (at < text.length && text[at] !== "\n") continue;
      row.push(null);
    }
    rows.push(row);
    row = [];
    at += 1;
  }
  return rows;
}

/* The answer as a table: `columns` are names, `rows` lists of texts, `times` milliseconds of each row, ascending or not. */
export function tableOf(text) {
  const [columns = [], ...rows] = parsed(text);
  const time = columns.indexOf("_time");
  return { columns, rows, times: rows.map((row) => Date.parse(row[time])) };
}

const KEYS = new Set(["_time", "_value", "_field", "_measurement"]);

/* What has a value at the row nearest to a moment, as [name, text]; null without rows. */
export function valuesAt(table, ms) {
  if (!table.rows.length) return null;
  let nearest = 0;
  table.times.forEach((time, n) => { if (Math.abs(time - ms) < Math.abs(table.times[nearest] - ms)) nearest = n; });
  const time = table.times[nearest];
  const same = table.rows.filter((_, n) => table.times[n] === time);
  return { time, values: same.flatMap((row) => named(table.columns, row)) };
}

function named(columns, row) {
  const value = columns.indexOf("_value");
  if (value < 0) return columns.map((name, n) => [name, row[n]]).filter(([name, text]) => name !== "_time" && text !== null);
  const tags = columns.map((name, n) => !KEYS.has(name) && row[n] !== null && `${name}=${row[n]}`).filter(Boolean);
  return [[`${row[columns.indexOf("_field")]}${tags.length ? `{${tags.join(",")}}` : ""}`, row[value]]];
}

/* {series, lowest, highest}: how many lines a chart of the table has, and between which numbers. */
export function extent(table) {
  const value = table.columns.indexOf("_value");
  const own = value >= 0 ? [value] : table.columns.map((_, n) => n).filter((n) => !KEYS.has(table.columns[n]));
  let lowest = Infinity, highest = -Infinity;
  const series = new Set();
  for (const row of table.rows) {
    for (const n of own) {
      if (row[n] === null) continue;
      series.add(value >= 0 ? named(table.columns, row)[0][0] : n);
      const amount = Number(row[n]);
      if (!Number.isFinite(amount)) continue;
      lowest = Math.min(lowest, amount);
      highest = Math.max(highest, amount);
    }
  }
  return { series: series.size, lowest, highest };
}

/* `measurement.field{` where all names are series of it, so that it is written once; else nothing. */
export function sharedPart(names) {
  const end = names[0]?.indexOf("{") ?? -1;
  const part = end > 0 ? names[0].slice(0, end + 1) : "";
  return part && names.every((name) => name.startsWith(part) && name.endsWith("}")) ? part : "";
}

export function withoutShared(name, shared) {
  return shared ? name.slice(shared.length, -1) : name;
}
