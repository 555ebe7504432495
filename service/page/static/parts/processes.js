/* Which processes are alive, from the gauges of /metrics: no other route tells. */

const GAUGE = /^fluxgate_process(es_alive|_last_seen_timestamp_seconds)\{role="(\w+)"\} (\S+)$/;

/* Each role with how many of it are alive and when one was seen last, in the order of the answer. */
export function presence(text) {
  const roles = new Map();
  for (const line of text.split("\n")) {
    const [, gauge, role, value] = GAUGE.exec(line) ?? [];
    if (!gauge) continue;
    const entry = roles.get(role) ?? { role, alive: 0, seenAt: null };
    if (gauge === "es_alive") entry.alive = Number(value);
    else entry.seenAt = new Date(Number(value) * 1000).toISOString();
    roles.set(role, entry);
  }
  return [...roles.values()];
}

export async function processes({ api, signal }) {
  const answer = await api.fetch("metrics", { signal });
  return presence(await answer.text());
}
