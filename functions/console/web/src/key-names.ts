// What keys are called, for pages that know them by their ids.

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { pageOf, quiet } from "./api/client";
import { me } from "./session";

const known = signal<{ account: string; names: ReadonlyMap<string, string> }>({ account: "", names: new Map() });

/** Names by id, of the keys on the first pages; the others go by their ids. */
export function useKeyNames(): ReadonlyMap<string, string> {
  const account = me.value?.account_id ?? "";
  useEffect(() => {
    if (known.value.account !== account) void read(account);
  }, [account]);
  return known.value.account === account ? known.value.names : new Map();
}

async function read(account: string): Promise<void> {
  const names = new Map<string, string>();
  let cursor: string | undefined;
  try {
    for (let page = 0; page < MAX_PAGES; page++) {
      const { data, next_cursor } = await pageOf(quiet.GET("/v1/api-keys", { params: { query: { limit: 100, cursor } } }));
      for (const { id, name } of data) names.set(id, name);
      if (next_cursor === null) break;
      cursor = next_cursor;
    }
  } catch {
    // Ids will do.
  }
  known.value = { account, names };
}

const MAX_PAGES = 10;
