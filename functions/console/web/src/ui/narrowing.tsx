// The filters that requests and their numbers have in common, all of them in the address.

import { useState } from "preact/hooks";

import { api, pageOf } from "../api/client";
import { useAsked } from "../ask";
import { useProjects } from "../projects";
import { RANGES, type Range, instant, local } from "../range";
import { narrow, query } from "../route";
import { catalogue, isOperator, me } from "../session";
import { Input, Select } from "./field";
import { Choice } from "./parts";

/** What of the address narrows what is asked for, as the API takes it. */
export function filtersOf(query: URLSearchParams) {
  const of = (name: string) => query.get(name) || undefined;
  return { account_id: accountOf(query), key_id: of("key_id"), project_id: of("project_id"), environment: of("environment"), route: of("route"), code: of("code") };
}

/** Whose calls: an operator sees the own account's unless the address says otherwise; anybody else sees nothing but those. */
export function accountOf(query: URLSearchParams): string | undefined {
  if (!isOperator.value) return undefined;
  const asked = query.get("account_id");
  if (asked === "all") return undefined;
  return asked || me.value?.account_id;
}

/** Whether what is shown is of all accounts. */
export function isOfEverybody(query: URLSearchParams): boolean {
  return isOperator.value && query.get("account_id") === "all";
}

export function Narrowing({ range }: { range: Range }) {
  const projects = useProjects();
  const now = query.value;
  const set = (name: string) => (value: string) => narrow({ [name]: value });
  const offer = catalogue.value;
  const routes = (offer?.routes ?? []).map(({ route }) => [route, route] as const);
  return (
    <>
      <div class="filters" role="search" aria-label="Time">
        <Choice label="Time" value={range.name} options={RANGES} onChange={(name) => narrow({ range: name, from: null, to: null, bucket: null })} />
        <Between range={range} />
      </div>
      <details class="fold-filters" open={innerWidth > 640 || NARROWING.some((name) => now.has(name))}>
      <summary>Filters</summary>
      <div class="filters" role="search" aria-label="Filters">
        {isOperator.value && <AccountFilter />}
        <KeyFilter />
        <Select label="Project" value={now.get("project_id") ?? ""} options={[["", "All"], ...projects.map(({ id, name }) => [id, name] as const)]} onChange={set("project_id")} />
        <Select label="Environment" value={now.get("environment") ?? ""} options={[["", "All"], ...(offer?.environments ?? []).map(({ name }) => [name, name] as const)]} onChange={set("environment")} />
        <Select label="Route" value={now.get("route") ?? ""} options={[["", "All"], ...routes]} onChange={set("route")} />
        <Input label="Code" value={now.get("code") ?? ""} list="codes" placeholder="ok, rate_limited…" pattern="[!-~]+" maxLength={64} onInput={(text) => narrow({ code: text.trim() }, "replace")} />
        <datalist id="codes">{CODES.map((code) => <option key={code} value={code} />)}</datalist>
        {NARROWING.some((name) => now.has(name)) && (
          <button type="button" class="bottom" onClick={() => narrow(Object.fromEntries(NARROWING.map((name) => [name, null])))}>Clear</button>
        )}
      </div>
      </details>
    </>
  );
}

/** From and to, by hand. */
function Between({ range }: { range: Range }) {
  const [isOpen, open] = useState(range.name === "chosen");
  const [from, setFrom] = useState(local(range.from));
  const [to, setTo] = useState(local(range.to));
  if (!isOpen && range.name !== "chosen") return <button type="button" onClick={() => open(true)}>From… to…</button>;
  const shown = range.name === "chosen" ? [local(range.from), local(range.to)] : [from, to];
  const apply = (first: string, last: string) => {
    setFrom(first);
    setTo(last);
    const [start, end] = [Date.parse(first), Date.parse(last)];
    if (start < end) narrow({ from: instant(start), to: instant(end), range: null, bucket: null });
  };
  return (
    <span class="between">
      <Input label="From" type="datetime-local" value={shown[0] ?? ""} onInput={(value) => apply(value, shown[1] ?? "")} />
      <Input label="To" type="datetime-local" value={shown[1] ?? ""} onInput={(value) => apply(shown[0] ?? "", value)} />
    </span>
  );
}

/** The account's keys, as many as one page has; any other by its id. */
function KeyFilter() {
  const keys = useAsked(async (signal) => (await pageOf(api.GET("/v1/api-keys", { params: { query: { limit: 100 } }, signal }))).data, []);
  const now = query.value.get("key_id") ?? "";
  const options = (keys.data ?? []).map(({ id, name, key_prefix }) => [id, `${name} (${key_prefix}…)`] as const);
  return <Select label="Key" value={now} options={[["", "All"], ...options]} onChange={(key_id) => narrow({ key_id })} />;
}

function AccountFilter() {
  const now = query.value.get("account_id") ?? "";
  return <Select label="Account" value={now} options={[["", "My own"], ["all", "All accounts"]]} onChange={(account_id) => narrow({ account_id })} />;
}

const NARROWING = ["key_id", "project_id", "environment", "route", "code", "account_id"];
const CODES = ["ok", "rate_limited", "rate_limited_daily", "rate_limited_concurrent", "rate_limited_project", "insufficient_credits", "insufficient_scope", "invalid_api_key", "invalid_token", "missing_credentials", "origin_not_allowed", "forbidden_environment", "unknown_route"];
