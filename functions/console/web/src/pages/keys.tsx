// The account's keys: all of them in one table, or one of them.

import { useState } from "preact/hooks";

import type { CreatedKey, KeyWithUsage } from "../api/client";
import { count, limits, usd } from "../format";
import { projectName, useProjects } from "../projects";
import { link, narrow, query } from "../route";
import { catalogue, me } from "../session";
import { Input, Select } from "../ui/field";
import { Empty, Page, Status, Time, Trouble } from "../ui/parts";
import { VirtualRows } from "../ui/virtual";
import { CreateKey } from "./keys/create";
import { KeyPage } from "./keys/key";
import { useKeys } from "./keys/list";
import { ShowKey } from "./keys/show";

export function KeysPage() {
  const id = query.value.get("key");
  return id ? <KeyPage key={id} id={id} /> : <AllKeys />;
}

function AllKeys() {
  const projects = useProjects();
  const filters = query.value;
  const search = filters.get("search") ?? "";
  const wanted = { status: filters.get("status") ?? "", environment: filters.get("environment") ?? "", project_id: filters.get("project_id") ?? "" };
  const keys = useKeys(wanted, search);
  const [made, setMade] = useState<CreatedKey | null>(null);
  const isCreating = filters.has("new");
  const isNarrowed = Object.values(wanted).some(Boolean) || search !== "";
  return (
    <Page
      title="Keys"
      lead="Each key calls the API with its own scopes, limits and budget."
      actions={<button type="button" class="primary" onClick={() => narrow({ new: "1" })}>New key</button>}
    >
      <div class="filters" role="search" aria-label="Keys">
        <Input label="Search" type="search" value={search} placeholder="Name, id or prefix" onInput={(text) => narrow({ search: text }, "replace")} />
        <Select label="Status" value={wanted.status} options={STATUSES} onChange={(status) => narrow({ status })} />
        <Select label="Project" value={wanted.project_id} options={[["", "All"], ...projects.map(({ id, name }) => [id, name] as const)]} onChange={(project_id) => narrow({ project_id })} />
        <Select label="Environment" value={wanted.environment} options={[["", "All"], ...(catalogue.value?.environments ?? []).map(({ name }) => [name, name] as const)]} onChange={(environment) => narrow({ environment })} />
      </div>
      <Trouble problem={keys.problem} retry={keys.more} />
      {keys.found.length > 0 && <KeyTable keys={keys.found} />}
      <div ref={keys.end} class="table-end">
        <p role="status">{keysSummary(keys, isNarrowed)}</p>
        {keys.hasMore && !keys.isLoading && <button type="button" onClick={keys.more}>Load more</button>}
      </div>
      {!keys.isLoading && !keys.hasMore && keys.found.length === 0 && !keys.problem && (
        isNarrowed ? (
          <Empty title="No key fits">
            <p><button type="button" onClick={() => narrow({ search: null, status: null, environment: null, project_id: null })}>Show all keys</button></p>
          </Empty>
        ) : (
          <Empty title="No keys yet">
            <p>A key lets a program call the API. It is shown once, when it is made.</p>
            <p><button type="button" class="primary" onClick={() => narrow({ new: "1" })}>Make the first key</button></p>
          </Empty>
        )
      )}
      {isCreating && !made && (
        <CreateKey
          onClose={() => narrow({ new: null }, "replace")}
          onMade={(key) => {
            setMade(key);
            keys.add(key);
          }}
        />
      )}
      {made && (
        <ShowKey
          of={made}
          what="Your new key"
          onClose={() => {
            setMade(null);
            narrow({ new: null }, "replace");
          }}
        />
      )}
    </Page>
  );
}

function keysSummary({ found, loaded, isLoading, hasMore }: ReturnType<typeof useKeys>, isNarrowed: boolean): string {
  if (isLoading) return loaded > 0 ? `${count(loaded)} keys read, more are coming…` : "Loading…";
  if (found.length === 0 && !hasMore) return "";
  const most = me.value?.plan.max_keys;
  const all = hasMore ? `${count(found.length)} keys so far` : `${count(found.length)} ${found.length === 1 ? "key" : "keys"}`;
  return isNarrowed || hasMore || most === undefined ? all : `${all}; your plan has room for ${count(most)} that are not revoked`;
}

function KeyTable({ keys }: { keys: readonly KeyWithUsage[] }) {
  return (
    <div class="scroll" role="region" aria-label="Keys" tabIndex={0}>
      <table class="keys" aria-rowcount={keys.length + 1}>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Status</th>
            <th scope="col" class="mid">Project</th>
            <th scope="col" class="mid">Environment</th>
            <th scope="col" class="wide">Scopes</th>
            <th scope="col" class="wide">Limits</th>
            <th scope="col" class="num">Spent</th>
            <th scope="col">Last used</th>
          </tr>
        </thead>
        <VirtualRows rows={keys} height={ROW_PX} columns={8} render={(key, index) => <KeyRow key={key.id} of={key} index={index} />} />
      </table>
    </div>
  );
}

function KeyRow({ of, index }: { of: KeyWithUsage; index: number }) {
  return (
    <tr aria-rowindex={index + 2} class={of.status === "revoked" || of.status === "expired" ? "over" : undefined}>
      <th scope="row">
        <a href={link("keys", { key: of.id })}>{of.name}</a>
        <code class="sub">{of.key_prefix}…</code>
      </th>
      <td><Status of={of.status} /></td>
      <td class="mid">{projectName(of.project_id)}</td>
      <td class="mid">{of.environment}</td>
      <td class="wide"><Scopes of={of.scopes} /></td>
      <td class="wide nowrap">{limits(of.limits)}</td>
      <td class="num">{usd(of.usage.spent_usd)}{of.budget_usd !== null && <span class="sub">of {usd(of.budget_usd)}</span>}</td>
      <td class="nowrap"><Time at={of.usage.last_used_at} /></td>
    </tr>
  );
}

export function Scopes({ of }: { of: readonly string[] }) {
  const [first, second, ...rest] = of;
  return (
    <span class="chips" title={of.join(", ")}>
      <code class="chip">{first}</code>
      {second && <code class="chip">{second}</code>}
      {rest.length > 0 && <span class="chip">+{rest.length}</span>}
    </span>
  );
}

const ROW_PX = 49;
const STATUSES = [["", "All"], ["active", "Active"], ["frozen", "Frozen"], ["expired", "Expired"], ["revoked", "Revoked"]] as const;
