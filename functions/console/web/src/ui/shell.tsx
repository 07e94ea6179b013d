// What stands around every page: where one can go, who is signed in, and what is amiss.

import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";

import { waiting } from "../api/send";
import { abbreviate } from "../format";
import type { PageName } from "../pages";
import { link, page } from "../route";
import { isOperator, me, otherAddress } from "../session";

const PLACES: readonly (readonly [PageName, string])[] = [
  ["keys", "Keys"],
  ["usage", "Usage"],
  ["requests", "Requests"],
  ["billing", "Billing"],
  ["projects", "Projects"],
  ["webhooks", "Webhooks"],
  ["client-sessions", "Client sessions"],
  ["account", "Account"],
];

export function Shell({ children }: { children: ComponentChildren }) {
  const places = isOperator.value ? [...PLACES, ["operator", "Operator"] as const] : PLACES;
  useEffect(() => {
    // Where the list is a line, the page’s own place may be beside the screen.
    document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [page.value]);
  return (
    <div class="shell">
      <a class="skip" href="#main">Skip to the page</a>
      <nav aria-label="Console">
        <p class="brand"><img src={`${import.meta.env.BASE_URL}icon.svg`} alt="" width={22} height={22} /> Faregate</p>
        <ul>
          {places.map(([name, text]) => (
            <li key={name}><a href={link(name)} aria-current={page.value === name ? "page" : undefined}>{text}</a></li>
          ))}
        </ul>
        <p class="who">
          {me.value && <a href={link("account")} title={me.value.address}>{abbreviate(me.value.address)}</a>}
          <a href="/docs" target="_blank" rel="noreferrer">API</a>
        </p>
      </nav>
      <main id="main" tabIndex={-1}>
        {otherAddress.value && (
          <div class="notice" role="status">
            <p>Your wallet shows <code>{abbreviate(otherAddress.value)}</code> now. This page is still signed in as <code>{abbreviate(me.value?.address ?? "")}</code>; to change over, <a href={link("account")}>sign out</a> and in again.</p>
            <button type="button" class="small" onClick={() => (otherAddress.value = null)}>Stay</button>
          </div>
        )}
        {children}
      </main>
      <div class="slow" role="status">{waiting.value > 0 && <p>The API is slow to answer. Still waiting…</p>}</div>
    </div>
  );
}
