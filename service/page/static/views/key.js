/* What the key of this tab may do. */

import { h } from "../dom.js";

const SCOPES = ["read", "write", "mirror", "backup", "restore", "connector", "admin"];
const MOST = 200;

export async function show(root, params, { key, signOut }) {
  const buckets = key.buckets?.slice(0, MOST).map((name) => h("li", {}, h("bdi", {}, name)));
  root.append(
    h("div", { class: "head" }, h("h1", {}, "My key")),
    h("section", { class: "card" },
      h("dl", { class: "facts" },
        h("dt", {}, "Name"), h("dd", {}, h("bdi", {}, key.name)),
        h("dt", {}, "Id"), h("dd", {}, h("code", {}, key.id)),
        h("dt", {}, "May"), h("dd", { class: "badges" }, SCOPES.map((scope) =>
          key.scopes.includes(scope) && h("span", { class: "badge good" }, scope))),
        h("dt", {}, "Buckets"), h("dd", {}, buckets ? h("ul", { class: "plain" }, buckets) : "all",
          key.buckets?.length > MOST && ` … and ${key.buckets.length - MOST} more`)),
      h("p", { class: "faint" }, "The key stays in this tab until you sign out or close it."),
      h("button", { type: "button", onClick: () => signOut() }, "Sign out")),
  );
}
