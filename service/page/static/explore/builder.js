/* What to look at: bucket, measurements, fields, tags, function and window, each from the bucket's own lists. */

import { api, path } from "../api.js";
import { fill, field, h } from "../dom.js";
import { short } from "../format.js";
import { picker } from "../picker.js";
import { EVERY } from "./ranges.js";
import { FUNCTIONS } from "./state.js";

const MOST_TAGS = 8;
const byName = (a, b) => a.localeCompare(b);

/* Fills `root` with the controls of `state`. `schema`: {measurements} of the bucket, or null before one is chosen.
   `change(next, remake)` gets the members of the state that changed, and whether other controls follow from them. */
export function showBuilder(root, { state, buckets, schema, signal, change }) {
  const measurements = schema?.measurements ?? [];
  const chosen = state.measurement.length ? measurements.filter(({ name }) => state.measurement.includes(name)) : measurements;
  const fields = fieldsOf(chosen);
  const keys = [...new Set([...Object.keys(state.tags), ...chosen.flatMap(({ tags }) => tags)])].sort(byName);
  const shownKeys = [...Object.keys(state.tags), ...keys.filter((key) => !(key in state.tags))].slice(0, Math.max(MOST_TAGS, Object.keys(state.tags).length));
  fill(root,
    picker({
      label: "Bucket", chosen: state.bucket ? [state.bucket] : [], none: "choose a bucket",
      load: async () => ({ names: buckets }),
      onChange: ([bucket]) => change({ bucket, measurement: [], field: [], tags: {} }, true),
    }),
    schema && [
      picker({
        label: "Measurement", multiple: true, chosen: state.measurement,
        load: async () => ({ names: measurements.map(({ name }) => name) }),
        onChange: (measurement) => change({ measurement }, true),
      }),
      picker({
        label: "Field", multiple: true, chosen: state.field,
        load: async () => ({ names: [...fields.keys()], notes: new Map([...fields].map(([name, types]) => [name, types.join(", ")])) }),
        onChange: (names) => change({ field: names }, false),
      }),
      shownKeys.map((key) => tagPicker(key, { state, signal, change })),
      keys.length > shownKeys.length && picker({
        label: "More tags", chosen: [], none: `${keys.length - shownKeys.length} more`,
        load: async () => ({ names: keys.filter((key) => !shownKeys.includes(key)) }),
        onChange: ([key]) => change({ tags: { ...state.tags, [key]: [] } }, true),
      }),
    ],
    schema && field("Function", h("select", { onChange: ({ target }) => change({ fn: target.value, shape: "" }, true) },
      FUNCTIONS.map(([name, title]) => h("option", { value: name, selected: name === state.fn }, title)))),
    schema && state.fn !== "raw" && field("Window", everyChoice(state, change)));
}

/* Fields by name with their types; those that are numbers first. */
export function fieldsOf(measurements) {
  const types = new Map();
  for (const { fields } of measurements) {
    for (const { name, types: own } of fields) types.set(name, [...new Set([...(types.get(name) ?? []), ...own])]);
  }
  const rank = (own) => (own.some((type) => ["float", "integer", "unsigned"].includes(type)) ? 0 : 1);
  return new Map([...types].sort(([a, x], [b, y]) => rank(x) - rank(y) || byName(a, b)));
}

function tagPicker(key, { state, signal, change }) {
  return picker({
    label: `Tag ${short(key, 60)}`, multiple: true, chosen: state.tags[key] ?? [],
    load: async () => {
      const { values, complete } = await api.get(path("buckets", state.bucket, "tags", key), { limit: 50000 }, { signal });
      return { names: values, complete };
    },
    onChange: (values) => {
      const { [key]: _, ...others } = state.tags;
      change({ tags: values.length ? { ...others, [key]: values } : others }, false);
    },
  });
}

function everyChoice(state, change) {
  const texts = state.every && !EVERY.includes(state.every) ? [state.every, ...EVERY] : EVERY;
  return h("select", { onChange: ({ target }) => change({ every: target.value }, false) },
    h("option", { value: "", selected: !state.every, dataset: { auto: "" } }, "automatic"),
    texts.map((text) => h("option", { value: text, selected: text === state.every }, text)));
}
