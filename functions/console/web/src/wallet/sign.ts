// Signing in: the API words a message (EIP-4361), the wallet signs it, the signature becomes a session cookie.

import { dataOf, quiet } from "../api/client";
import type { Provider } from "./discover";

/** Why a wallet did not do what it was asked. */
export class WalletError extends Error {}

/** The account that the wallet shows this page first. */
export async function connect(provider: Provider): Promise<string> {
  const accounts = await asked(provider, "eth_requestAccounts");
  const address = Array.isArray(accounts) ? accounts[0] : undefined;
  if (typeof address !== "string") throw new WalletError("The wallet shows no account to this page. Choose one in the wallet, then try again.");
  return address;
}

/** The message that the address is to sign. */
export async function issue(address: string): Promise<{ nonce: string; message: string }> {
  const issued = await dataOf(quiet.GET("/auth/nonce/{address}", { params: { path: { address } } }));
  const domain = issued.message.split(" wants you to sign in", 1)[0] ?? "";
  if (domain !== location.host) {
    const scheme = location.protocol;
    throw new WalletError(`This gate is at ${scheme}//${domain}, and this page at ${location.origin}. Open ${scheme}//${domain}/console: a session of another address does not reach it.`);
  }
  return issued;
}

/** The wallet's signature over the message, by `personal_sign`. */
export async function sign(provider: Provider, address: string, message: string): Promise<string> {
  const bytes = new TextEncoder().encode(message);
  const hex = `0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  const signature = await asked(provider, "personal_sign", [hex, address]);
  if (typeof signature !== "string") throw new WalletError("The wallet gave no signature.");
  return signature;
}

/** Exchanges a signature for a session, and says whose; the token stays in the cookie, where no script can read it. */
export async function exchange(address: string, nonce: string, signature: string): Promise<string> {
  const session = await dataOf(quiet.POST("/auth/verify", { body: { address, nonce, signature } }));
  return session.account_id;
}

async function asked(provider: Provider, method: string, params?: unknown[]): Promise<unknown> {
  try {
    return await provider.request(params ? { method, params } : { method });
  } catch (error) {
    throw new WalletError(reason(error));
  }
}

/** What an error of EIP-1193 means for the reader. */
function reason(error: unknown): string {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  switch (code) {
    case 4001:
      return "You declined in the wallet. Nothing was signed, and you can try again.";
    case 4100:
      return "The wallet does not let this page use that account. Allow it in the wallet, then try again.";
    case 4200:
      return "This wallet cannot sign messages (personal_sign). Try another one.";
    case 4900:
    case 4901:
      return "The wallet is disconnected. Open it, then try again.";
    case -32002:
      return "The wallet is already asking you something. Open it and answer there.";
    default:
      return typeof message === "string" && message ? `The wallet says: ${message}` : "The wallet did not answer.";
  }
}
