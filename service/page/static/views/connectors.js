/* Connectors: where each is, why it does nothing, and orders to send a range or to run one. */

import { path } from "../api.js";
import { button, fill, h } from "../dom.js";
import { ago, count, duration, time } from "../format.js";
import { choice, orderCard, text } from "../parts/order.js";
import { badge, empty, facts, name, panel, press } from "../parts/panel.js";

const STATES = { running: "good", off: "", stopped: "bad", broken: "bad" };

export async function show(root, params, context) {
  const { api, signal } = context;
  const orders = h("div", { class: "grid two" });
  let known = null;
  const state = panel("State", signal, async (body) => {
    const { connectors } = await api.get("connector", {}, { signal });
    const names = connectors.map((connector) => connector.name).join("\n");
    if (names !== known) fill(orders, connectors.length > 0 && [requestCard(connectors, context), runCard(connectors, context)]);
    known = names;
    fill(body, connectors.length ? h("div", { class: "grid two" }, connectors.map((connector) => connectorView(connector, context)))
      : empty("No connector is configured. The section “connectors” of the configuration makes one."));
    return 15;
  });
  context.changed = state.reload;
  root.append(h("h1", {}, "Connectors"), orders, state);
}

function connectorView(connector, context) {
  const message = h("div", { "aria-live": "polite" });
  const { api } = context;
  const resume = connector.stopped && button("Let it run again", (event) => press(event, message, async () => {
    await api.post(path("connector", connector.name, "resume"));
    context.changed();
  }));
  const bad = [connector.error, connector.stopped && `Stopped since ${time(connector.stopped.at)}: ${connector.stopped.message}`, connector.warning, connector.last_error];
  return h("div", { class: "tile" },
    h("div", { class: "row spread" }, h("h3", { class: "cut-box" }, name(connector.name)), badge(STATES[connector.state] ?? "info", connector.state)),
    bad.filter(Boolean).map((line) => h("p", { class: "error-text" }, line)),
    facts([
      ["Sends", [h("bdi", {}, connector.source), " → ", h("bdi", {}, connector.upstream)]],
      ["Accepted up to", connector.bookmark ? [time(connector.bookmark), h("span", { class: "hint" }, ` lag ${duration(connector.lag_s ?? 0)}`)] : "nothing yet"],
      ["Values", `${count(connector.accepted)} accepted of ${count(connector.sent)} sent in ${count(connector.posts)} posts`],
      ["Refused", connector.dead_letters > 0 && `${count(connector.dead_letters)} values are kept; fluxgate connector dead-letters shows them`],
      ["Next run", connector.next_run && ago(connector.next_run)],
    ]), resume, message);
}

const options = (connectors) => connectors.map((connector) => [connector.name, connector.name]);

function requestCard(connectors, context) {
  const { api } = context;
  return orderCard({
    title: "Send a range now",
    hint: "Beside the schedule, whose bookmark stays. The dry run counts, and sends nothing.",
    fields: [choice("Connector", "connector", options(connectors)),
      text("From", "start_time", { placeholder: "2026-01-30T00:00:00Z", required: true }),
      text("To", "end_time", { placeholder: "2026-01-31T00:00:00Z", required: true })],
    plan: async (values) => ({ jobs: [await api.post("connector/requests", { ...values, dry_run: true })] }),
    run: async (values) => [await api.post("connector/requests", values)],
    verb: "Send it now",
    context,
  });
}

function runCard(connectors, context) {
  const { api, signal } = context;
  return orderCard({
    title: "Run a connector now",
    hint: "What its schedule would do: send the windows after the bookmark.",
    fields: [choice("Connector", "connector", options(connectors))],
    planVerb: "Show what would be sent",
    plan: async ({ connector }) => {
      const state = await api.get(path("connector", connector), {}, { signal });
      return { view: facts([["From the bookmark", state.bookmark ? time(state.bookmark) : "where its configuration begins"],
        ["Time to send", state.lag_s === null ? "–" : duration(state.lag_s)], ["To", h("bdi", {}, state.upstream)]]) };
    },
    run: async ({ connector }) => [await api.post(path("connector", connector, "run"))],
    verb: "Run it now",
    context,
  });
}
