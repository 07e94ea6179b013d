// Which wallets this browser has: they announce themselves (EIP-6963), and older ones stand in `window.ethereum`.

import { signal } from "@preact/signals";

/** What a wallet can be asked (EIP-1193). */
export interface Provider {
  request(asked: { method: string; params?: unknown[] }): Promise<unknown>;
  on?(event: string, listener: (value: never) => void): void;
  removeListener?(event: string, listener: (value: never) => void): void;
}

/** A wallet that said it is there. */
export interface Wallet {
  id: string;
  name: string;
  icon: string | null;
  provider: Provider;
}

export const wallets = signal<Wallet[]>([]);

/** Whether wallets have had time to answer. */
export const isSettled = signal(false);

/** Asks all wallets to announce themselves, now and whenever they come later. */
export function discover(): void {
  addEventListener("eip6963:announceProvider", (event) => {
    const wallet = announced((event as CustomEvent).detail);
    if (wallet && !wallets.value.some((known) => known.id === wallet.id)) wallets.value = [...wallets.value.filter((known) => known.id !== LEGACY), wallet];
  });
  dispatchEvent(new Event("eip6963:requestProvider"));
  setTimeout(() => {
    const provider = (window as { ethereum?: Provider }).ethereum;
    if (wallets.value.length === 0 && typeof provider?.request === "function") {
      wallets.value = [{ id: LEGACY, name: "Browser wallet", icon: null, provider }];
    }
    isSettled.value = true;
  }, SETTLED_AFTER_MS);
}

/** Only what has the form of an announcement; its icon only where it is a picture that needs nobody else. */
function announced(detail: unknown): Wallet | null {
  const { info, provider } = (detail ?? {}) as { info?: Record<string, unknown>; provider?: Provider };
  if (typeof info?.uuid !== "string" || typeof info.name !== "string" || typeof provider?.request !== "function") return null;
  const icon = typeof info.icon === "string" && info.icon.startsWith("data:image/") ? info.icon : null;
  return { id: info.uuid, name: info.name.slice(0, 60), icon, provider };
}

const LEGACY = "window.ethereum";
const SETTLED_AFTER_MS = 300;
