// Who is signed in: one account in all tabs, known from the API alone. What proves it is a cookie that no script can read.

import { computed, signal } from "@preact/signals";

import { type Catalogue, type Me, api, dataOf, keysAreAt, quiet } from "./api/client";
import { Problem } from "./api/problem";
import { onSessionEnd } from "./api/send";
import { go } from "./route";
import { say } from "./ui/toast";
import type { Provider, Wallet } from "./wallet/discover";
import { connect, exchange, issue, sign } from "./wallet/sign";

/**
 * - `asking`: nobody knows yet
 * - `out`: the sign-in page
 * - `in`: everything else
 * - `ended`: still everything else, with a question in front of it: what was typed is kept
 */
export type State = "asking" | "out" | "in" | "ended" | "failed";

export const state = signal<State>("asking");
export const me = signal<Me | null>(null);
export const catalogue = signal<Catalogue | null>(null);
/** The address that the wallet would sign with now, where it is another than the one signed in. */
export const otherAddress = signal<string | null>(null);
/** What of the first answers failed. */
export const startProblem = signal<Problem | null>(null);

export const isOperator = computed(() => me.value?.is_operator ?? false);

const tabs = new BroadcastChannel("faregate-console");
let waitingFor: { renewed: Promise<boolean>; settle: (isRenewed: boolean) => void } | null = null;

/** Finds out whether somebody is signed in. */
export async function start(): Promise<void> {
  onSessionEnd(renew);
  tabs.onmessage = ({ data }: MessageEvent<Told>) => hear(data);
  await enter();
}

/** Reads who is signed in and what there is to choose from. */
export async function enter(): Promise<void> {
  startProblem.value = null;
  try {
    const who = await dataOf(quiet.GET("/v1/me"));
    const choices = await dataOf(quiet.GET("/v1/catalogue"));
    keysAreAt(choices.keys_path);
    catalogue.value = choices;
    me.value = who;
    state.value = "in";
  } catch (error) {
    if (error instanceof Problem && error.status === 401) {
      me.value = null;
      state.value = "out";
      return;
    }
    startProblem.value = error instanceof Problem ? error : Problem.unreachable();
    state.value = "failed";
  }
}

/** Signs in with a wallet of this browser. */
export async function signIn(wallet: Wallet): Promise<void> {
  const address = await connect(wallet.provider);
  const { nonce, message } = await issue(address);
  const signature = await sign(wallet.provider, address, message);
  await takeUp(address, nonce, signature);
  watch(wallet.provider);
}

/** Signs in with a signature, wherever it was made. */
export async function takeUp(address: string, nonce: string, signature: string): Promise<void> {
  const account = await exchange(address, nonce, signature);
  tabs.postMessage({ kind: "in", account } satisfies Told);
  await welcome(account);
}

/** Ends the session, here and in all tabs. */
export async function signOut(): Promise<void> {
  const { response } = await api.POST("/auth/logout");
  // Who was signed out already is signed out.
  if (!response.ok && response.status !== 401) throw new Problem(response.status, { detail: "Signing out failed; you are still signed in. Try again." });
  tabs.postMessage({ kind: "out" } satisfies Told);
  leave();
}

/** Gives up the session that ended, and with it whatever waits for it. */
export function leave(): void {
  waitingFor?.settle(false);
  waitingFor = null;
  me.value = null;
  otherAddress.value = null;
  state.value = "out";
}

/** Puts the question aside: the page stays as it is, and the next request asks again. */
export function later(): void {
  waitingFor?.settle(false);
  waitingFor = null;
  if (me.value) state.value = "in";
}

/** Asks for a new sign-in, once for all requests that wait. */
function renew(): Promise<boolean> {
  if (!me.value || state.value === "out") return Promise.resolve(false);
  if (!waitingFor) {
    let settle: (isRenewed: boolean) => void = () => {};
    const renewed = new Promise<boolean>((resolve) => (settle = resolve));
    waitingFor = { renewed, settle };
  }
  state.value = "ended";
  return waitingFor.renewed;
}

async function welcome(account: string): Promise<void> {
  otherAddress.value = null;
  if (me.value && me.value.account_id !== account) {
    // Whatever was asked for was asked in another name.
    waitingFor?.settle(false);
    waitingFor = null;
    me.value = null;
    state.value = "asking";
    go("/console/keys");
    await enter();
    say("You are signed in with another account now.");
    return;
  }
  if (me.value) {
    state.value = "in";
    waitingFor?.settle(true);
    waitingFor = null;
    return;
  }
  await enter();
}

/** What tabs tell each other; never a secret. */
type Told = { kind: "in"; account: string } | { kind: "out" };

function hear(told: Told): void {
  if (told.kind === "in") void welcome(told.account);
  else if (me.value) state.value = "ended";
}

let watched: Provider | null = null;

/** Hears when the wallet changes its account; the session stays whose it is. */
function watch(provider: Provider): void {
  watched?.removeListener?.("accountsChanged", changed);
  watched = provider;
  provider.on?.("accountsChanged", changed);
}

function changed(accounts: string[]): void {
  const now = accounts[0]?.toLowerCase();
  otherAddress.value = me.value && now && now !== me.value.address.toLowerCase() ? (accounts[0] ?? null) : null;
}
