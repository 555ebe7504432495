/* The public API, asked with the key of this tab. The key is in sessionStorage alone and travels in a header alone. */

const SLOT = "fluxgate.key";
let onRefused = () => {};

/* What the API answered when something went wrong; `detail` says what to do. Status 0: no answer came. */
export class Problem extends Error {
  constructor(status, document = {}) {
    super(document.detail || document.title || `The gateway answered with status ${status}.`);
    this.name = "Problem";
    this.status = status;
    this.title = document.title || "Error";
    this.detail = this.message;
    this.code = document.code || "";
    this.requestId = document.request_id || "";
    this.document = document;
  }
}

export const keyOfTab = {
  get: () => sessionStorage.getItem(SLOT),
  set: (key) => sessionStorage.setItem(SLOT, key),
  forget: () => sessionStorage.removeItem(SLOT),
};

/* `listener` is called when the gateway no longer accepts the key of this tab. */
export function whenRefused(listener) {
  onRefused = listener;
}

/* A path of the API: each part is one segment, whatever characters it has. */
export function path(...segments) {
  if (segments.some((segment) => segment === "." || segment === ".." || segment === "")) {
    throw new Problem(0, {
      title: "Name not possible here",
      detail: "Browsers cannot ask for a name of dots alone. Use the command line: fluxgate read.",
    });
  }
  return segments.map(encodeURIComponent).join("/");
}

/* The absolute address of a path of the API. `params`: an object, whose lists are repeated, or a list of pairs. */
export function address(route, params = {}) {
  const url = new URL(route.replace(/^\/+/, ""), document.baseURI);
  url.hash = "";
  const pairs = params instanceof URLSearchParams || Array.isArray(params) ? [...params] : Object.entries(params);
  for (const [name, value] of pairs) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== null && item !== undefined && item !== "") url.searchParams.append(name, item);
    }
  }
  return url.href;
}

/* A Response with a good status. Raises Problem for any other, and for none. */
async function ask(route, { method = "GET", params, body, headers = {}, signal, key = keyOfTab.get() } = {}) {
  const sent = { ...headers, ...(key ? { "X-API-Key": key } : {}) };
  if (body !== undefined && !(body instanceof Blob)) sent["Content-Type"] ??= "application/json";
  const content = body === undefined || body instanceof Blob || typeof body === "string" ? body : JSON.stringify(body);
  let answer;
  try {
    answer = await fetch(address(route, params), {
      method, headers: sent, body: content, signal, credentials: "omit", redirect: "error", referrerPolicy: "no-referrer",
    });
  } catch (failure) {
    if (failure.name === "AbortError") throw failure;
    throw new Problem(0, { title: "No answer", detail: "The gateway does not answer. Is it running, and the network up?" });
  }
  if (answer.ok || answer.status === 304) return answer;
  const problem = new Problem(answer.status, await documentOf(answer));
  if (answer.status === 401 && key === keyOfTab.get()) onRefused(problem);
  throw problem;
}

async function documentOf(answer) {
  try {
    return await answer.json();
  } catch {
    return { title: answer.statusText, detail: `The gateway answered with status ${answer.status}.` };
  }
}

async function json(route, options) {
  const answer = await ask(route, options);
  return answer.status === 204 ? null : answer.json();
}

/* The events of a stream (text/event-stream) as {id, event, data}, until it ends or `signal` aborts. */
async function* events(route, { params, signal, lastId } = {}) {
  const headers = { Accept: "text/event-stream", ...(lastId ? { "Last-Event-ID": lastId } : {}) };
  const answer = await ask(route, { params, signal, headers });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value.replaceAll("\r\n", "\n")).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const event = parsed(block);
      if (event) yield event;
    }
  }
}

function parsed(block) {
  const event = { id: "", event: "message", data: "" };
  const lines = [];
  for (const line of block.split("\n")) {
    const [, name, text] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (name === "data") lines.push(text);
    else if (name === "id" || name === "event") event[name] = text;
  }
  event.data = lines.join("\n");
  return lines.length ? event : null;
}

export const api = {
  fetch: ask,
  get: (route, params, options) => json(route, { ...options, params }),
  post: (route, body, options) => json(route, { ...options, method: "POST", body: body ?? {} }),
  put: (route, body, options) => json(route, { ...options, method: "PUT", body }),
  patch: (route, body, options) => json(route, { ...options, method: "PATCH", body }),
  delete: (route, options) => json(route, { ...options, method: "DELETE" }),
  events,
};
