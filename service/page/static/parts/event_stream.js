/* Follows events of the API over a connection that may break: it goes on after the last event that came. */

import { api } from "../api.js";

const FIRST_WAIT_S = 1;
const LONGEST_WAIT_S = 30;

/* The wait before the next try: twice as long each time, and what the server asked for where it said so. */
export function nextWait(lastS, retryAfterS) {
  return retryAfterS ?? Math.min(LONGEST_WAIT_S, lastS ? lastS * 2 : FIRST_WAIT_S);
}

/* Calls `act` with each event of `route`, whose data is JSON, until it gives true, the key is refused or `signal` aborts.
   `onProblem` gets what is wrong, and null once it is right again. A hidden page holds no stream when `restful` is set.
   Gives why it ended: "done", "refused" (with the status in `problem`), or "stopped". */
export async function followEvents(route, { params, signal, onProblem = () => {}, restful = false, refusals = [] }, act) {
  let lastId = null, waitS = 0;
  while (!signal.aborted) {
    if (restful) await whenShown(signal);
    const hidden = new AbortController();
    const leave = () => { if (restful && document.hidden) hidden.abort(); };
    document.addEventListener("visibilitychange", leave);
    try {
      for await (const event of api.events(route, { params, lastId, signal: AbortSignal.any([signal, hidden.signal]) })) {
        if (waitS) onProblem(null);
        waitS = 0;
        lastId = event.id || lastId;
        if (act({ ...event, data: JSON.parse(event.data) })) return { end: "done" };
      }
    } catch (failure) {
      if (failure.name !== "AbortError") {
        const isFinal = failure.status >= 400 && failure.status < 500 && failure.status !== 429;
        if (isFinal || refusals.includes(failure.status)) {
          onProblem(failure);
          return { end: "refused", problem: failure };
        }
        onProblem(failure);
      }
    } finally {
      document.removeEventListener("visibilitychange", leave);
    }
    if (signal.aborted) break;
    waitS = nextWait(waitS);
    await pause(waitS, signal);
  }
  return { end: "stopped" };
}

function pause(s, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, s * 1000);
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

function whenShown(signal) {
  return new Promise((resolve) => {
    if (!document.hidden || signal.aborted) return resolve();
    const listen = () => { if (!document.hidden || signal.aborted) { document.removeEventListener("visibilitychange", listen); resolve(); } };
    document.addEventListener("visibilitychange", listen, { signal });
    signal.addEventListener("abort", resolve, { once: true });
  });
}
