// Carries requests: bounded in time, tried again where that is safe, and held back while somebody has to sign in again.

import { signal } from "@preact/signals";

import { Problem } from "./problem";

/** How many requests take longer than anybody likes to wait without a word. */
export const waiting = signal(0);

/** What is asked when a session has ended: whether to send again. */
type Renew = () => Promise<boolean>;

let renew: Renew = async () => false;

/** Says who is asked when a session has ended. */
export function onSessionEnd(ask: Renew): void {
  renew = ask;
}

/** Sends for somebody who waits: an ended session is signed in anew, then the request goes out again. */
export async function send(request: Request): Promise<Response> {
  const answer = await persist(request);
  if (answer.status !== 401 || !(await renew())) return answer;
  return persist(request);
}

/** Sends for nobody in particular: an ended session is only told of. */
export async function sendQuietly(request: Request): Promise<Response> {
  return persist(request);
}

async function persist(request: Request): Promise<Response> {
  const attempts = isRepeatable(request) ? ATTEMPTS : 1;
  for (let attempt = 1; ; attempt++) {
    const isLast = attempt >= attempts;
    try {
      const answer = await once(request.clone());
      const pause = pauseAfter(answer, attempt);
      if (isLast || pause === null) return answer;
      await sleep(pause, request.signal);
    } catch (error) {
      if (request.signal.aborted || isLast) throw error;
      await sleep(backoff(attempt), request.signal);
    }
  }
}

async function once(request: Request): Promise<Response> {
  const timeout = AbortSignal.timeout(request.method === "GET" ? READ_TIMEOUT_MS : WRITE_TIMEOUT_MS);
  let isSlow = false;
  const slow = setTimeout(() => {
    isSlow = true;
    waiting.value++;
  }, SLOW_MS);
  try {
    return await fetch(request, { signal: AbortSignal.any([request.signal, timeout]), credentials: "same-origin" });
  } catch (error) {
    if (request.signal.aborted) throw error;
    throw timeout.aborted ? Problem.slow() : Problem.unreachable();
  } finally {
    clearTimeout(slow);
    if (isSlow) waiting.value--;
  }
}

/** What may be sent twice: reading, setting, ending, and what the API does once under its key. */
function isRepeatable(request: Request): boolean {
  return request.method !== "POST" || request.headers.has("idempotency-key");
}

/** Milliseconds until it may be tried again; null where trying again would not help. */
function pauseAfter(answer: Response, attempt: number): number | null {
  if (answer.status < 500 && answer.status !== 429 && answer.status !== 409) return null;
  const seconds = Number(answer.headers.get("retry-after"));
  if (answer.status === 409) return seconds > 0 ? seconds * 1_000 : null;
  if (seconds * 1_000 > MAX_PAUSE_MS) return null;
  return Math.max(seconds * 1_000, backoff(attempt));
}

function backoff(attempt: number): number {
  return 300 * 2 ** attempt * (0.5 + Math.random());
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((wake, fail) => {
    const timer = setTimeout(wake, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      fail(signal.reason);
    });
  });
}

const ATTEMPTS = 3;
const SLOW_MS = 2_500;
const READ_TIMEOUT_MS = 15_000;
// As long as the gateway waits for a function.
const WRITE_TIMEOUT_MS = 30_000;
const MAX_PAUSE_MS = 5_000;
