/* Looks at the points of a bucket. */

import { h } from "../dom.js";

export async function show(root, params, { api, signal, link }) {
  const { buckets } = await api.get("buckets", {}, { signal });
  root.append(
    h("div", { class: "head" }, h("h1", {}, "Explore")),
    h("ul", { class: "plain" }, buckets.map(({ name }) =>
      h("li", {}, h("a", { href: link("explore", { bucket: name }) }, h("bdi", {}, name))))),
  );
}
