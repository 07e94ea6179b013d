// The public API, typed by its own description.

import createClient from "openapi-fetch";

import { Problem } from "./problem";
import type { components, paths } from "./schema";
import { send, sendQuietly } from "./send";

type Schemas = components["schemas"];
export type Key = Schemas["Key"];
export type KeyWithUsage = Schemas["KeyWithUsage"];
export type CreatedKey = Schemas["CreatedKey"];
export type KeyEvent = Schemas["KeyEvent"];
export type Limits = Schemas["Limits"];
export type Project = Schemas["Project"];
export type Me = Schemas["Me"];
export type Account = Schemas["Account"];
export type Billing = Schemas["Billing"];
export type Entry = Schemas["Entry"];
export type Row = Schemas["Request"];
export type RefusedCalls = Schemas["RefusedCalls"];
export type Analytics = Schemas["Analytics"];
export type Latency = Schemas["LatencyOrNull"];
export type Payment = Schemas["Payment"];
export type Catalogue = Schemas["Catalogue"];
export type Webhook = Schemas["Webhook"];
export type Delivery = Schemas["Delivery"];
export type ClientSession = Schemas["ClientSession"];
export type SignedIn = Schemas["SignedIn"];
export type Explanation = Schemas["Explanation"];

const KEYS_PATH = "/v1/api-keys";
let keysPath = KEYS_PATH;

/** Says where the policy has keys managed. */
export function keysAreAt(path: string): void {
  keysPath = path;
}

/** A request to where the policy has what it is about. */
class PlacedRequest extends Request {
  constructor(input: RequestInfo | URL, init?: RequestInit) {
    const address = new URL(input instanceof Request ? input.url : input, location.origin);
    const { pathname } = address;
    if (pathname === KEYS_PATH || pathname.startsWith(`${KEYS_PATH}/`)) address.pathname = keysPath + pathname.slice(KEYS_PATH.length);
    super(address, init);
  }
}

// A policy may word answers in a product's own way; these pages are for any of them.
const options = { baseUrl: location.origin, headers: { Prefer: "dialect=none" }, Request: PlacedRequest };

/** For what somebody waits for. */
export const api = createClient<paths>({ ...options, fetch: send });

/** For what is only kept fresh. */
export const quiet = createClient<paths>({ ...options, fetch: sendQuietly });

type Outcome<T> = Promise<{ data?: T; error?: unknown; response: Response }>;

/** The body of a success; anything else is thrown as a problem. */
export async function ask<T>(outcome: Outcome<T>): Promise<T> {
  const { data, error, response } = await outcome;
  if (response.ok) return data as T;
  const document = typeof error === "object" && error !== null ? error : {};
  throw new Problem(response.status, document);
}

/** What stands in the envelope of a success. */
export async function dataOf<T>(outcome: Outcome<{ data: T }>): Promise<T> {
  const { data } = await ask(outcome);
  if (typeof data !== "object" || data === null) throw Problem.foreign();
  return data;
}

/** A page of a list. */
export async function pageOf<T>(outcome: Outcome<{ data: T[]; next_cursor: string | null }>): Promise<{ data: T[]; next_cursor: string | null }> {
  const page = await ask(outcome);
  if (!Array.isArray(page.data)) throw Problem.foreign();
  return page;
}

/** The header under which a request is done once, however often it is sent. */
export function onceUnder(name: string) {
  return { "Idempotency-Key": name };
}

/** A name that nobody used before. */
export function freshName(): string {
  return crypto.randomUUID();
}
