const orders = () => import("./orders.js"), admin = () => import("./admin.js");

/* The views in the order of the menu. `scope`: one of these scopes lets a key see it; none: every key may. */

const JOBS = ["mirror", "backup", "restore", "connector", "admin"];

export const views = [
  { name: "overview", title: "Overview", scope: [], load: () => import("./overview.js") },
  { name: "explore", title: "Explore", scope: ["read"], load: () => import("./explore.js") },
  { name: "live", title: "Live", scope: ["read"], load: () => import("./live.js") },
  { name: "gaps", title: "Gaps", scope: ["read"], load: () => import("./gaps.js") },
  { name: "jobs", title: "Jobs", scope: JOBS, load: () => import("./jobs.js") },
  { name: "mirrors", title: "Mirrors", scope: ["mirror"], load: async () => ({ show: (await orders()).showMirrors }) },
  { name: "backups", title: "Backups", scope: ["backup"], load: async () => ({ show: (await orders()).showBackups }) },
  { name: "connectors", title: "Connectors", scope: ["connector"], load: async () => ({ show: (await orders()).showConnectors }) },
  { name: "keys", title: "Keys", scope: ["admin"], load: async () => ({ show: (await admin()).showKeys }) },
  { name: "config", title: "Configuration", scope: ["admin"], load: async () => ({ show: (await admin()).showConfig }) },
  { name: "key", title: "My key", scope: [], load: () => import("./key.js") },
];

/* The views that `key` may see. */
export function visible(key) {
  return views.filter(({ scope }) => scope.length === 0 || scope.some((name) => key.scopes.includes(name)));
}
