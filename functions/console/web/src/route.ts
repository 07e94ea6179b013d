// Where the reader is: the page and its filters, all of it in the address, so that it can be kept, shared and gone back to.

import { computed, signal } from "@preact/signals";

import { PAGES, type PageName } from "./pages";

const BASE = "/console";

const here = signal(read());

/** The page, or null where there is none of that name. */
export const page = computed<PageName | null>(() => {
  const name = here.value.path.slice(BASE.length).replace(/^\//, "");
  if (name === "") return "keys";
  return (PAGES as readonly string[]).includes(name) ? (name as PageName) : null;
});

/** What stands behind the question mark. */
export const query = computed(() => here.value.query);

/** The address of a page with these filters; what is empty is left out. */
export function link(name: PageName, filters: Filters = {}): string {
  const kept = new URLSearchParams();
  for (const [key, value] of Object.entries(filters)) if (value) kept.set(key, value);
  const text = kept.toString();
  return `${BASE}/${name}${text && `?${text}`}`;
}

export type Filters = Record<string, string | null | undefined>;

/** Goes to an address of the console. */
export function go(address: string): void {
  if (address !== location.pathname + location.search) history.pushState(null, "", address);
  here.value = read();
}

/** Changes some filters of this page and keeps the others; typing in a field replaces the address, a choice adds one. */
export function narrow(change: Filters, how: "push" | "replace" = "push"): void {
  const next = new URLSearchParams(location.search);
  for (const [key, value] of Object.entries(change)) value ? next.set(key, value) : next.delete(key);
  const text = next.toString();
  const address = location.pathname + (text && `?${text}`);
  if (address === location.pathname + location.search) return;
  if (how === "push") history.pushState(null, "", address);
  else history.replaceState(null, "", address);
  here.value = read();
}

/** Takes clicks on links within the console, as long as they mean this tab. */
export function followLinks(): void {
  addEventListener("popstate", () => (here.value = read()));
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const anchor = (event.target as Element).closest?.("a");
    if (!anchor || anchor.target || anchor.hasAttribute("download") || anchor.origin !== location.origin) return;
    if (anchor.pathname !== BASE && !anchor.pathname.startsWith(`${BASE}/`)) return;
    event.preventDefault();
    go(anchor.pathname + anchor.search);
    scrollTo(0, 0);
  });
}

function read() {
  return { path: location.pathname, query: new URLSearchParams(location.search) };
}
