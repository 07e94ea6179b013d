// Where the account's money is, how it moves, and how more of it comes in.

import { useState } from "preact/hooks";

import { type Billing, type Entry, type KeyWithUsage, type Project, api, ask, dataOf, freshName, onceUnder, pageOf } from "../api/client";
import { type Problem, problemOf } from "../api/problem";
import { useAsked } from "../ask";
import { abbreviate, decimal, micro, parseUsd, usd } from "../format";
import { useKeyNames } from "../key-names";
import { projectName, readProjects, useProjects } from "../projects";
import { link, narrow, query } from "../route";
import { isOperator, me } from "../session";
import { Input, Select } from "../ui/field";
import { EntryTable } from "../ui/entries";
import { MoreRows, usePages } from "../ui/list";
import { Copy, Meter, Page, Panel, Shown, Trouble } from "../ui/parts";
import { Slider, SplitBar } from "../ui/slider";
import { say } from "../ui/toast";

export function BillingPage() {
  const money = useAsked(async (signal) => {
    const [billing, projects] = await Promise.all([dataOf(api.GET("/v1/billing", { signal })), readProjects(signal)]);
    return { billing, projects };
  }, []);
  const [round, setRound] = useState(0);
  const moved = () => {
    money.reload();
    setRound((last) => last + 1);
  };
  return (
    <Page title="Billing" lead="What is paid in lies in the wallet. Keys pay from their project, so move money there.">
      <Shown of={money}>
        {({ billing, projects }) => (
          <>
            <Figures of={billing} />
            <div class="grid wide-left">
              <Allocations key={JSON.stringify([billing.wallet_usd, projects.map((one) => one.available_usd)])} wallet={billing.wallet_usd ?? 0} projects={projects} onMoved={moved} />
              <TopUp wallet={billing.wallet_usd ?? 0} />
            </div>
          </>
        )}
      </Shown>
      <Thresholds />
      <Entries round={round} />
    </Page>
  );
}

function Figures({ of }: { of: Billing }) {
  const figures: [string, number | null, string][] = [
    ["Wallet", of.wallet_usd, "in no project"],
    ["Available", of.available_usd, "to keys, in projects"],
    ["Reserved", of.reserved_usd, "until calls are settled"],
    ["Spent today", of.spent_today_usd, "UTC day"],
    ["Spent this month", of.spent_month_usd, "UTC month"],
    ["Spent in all", of.spent_usd, `of ${usd(of.allocated_usd)} allocated`],
  ];
  return (
    <div class="figures">
      {figures.map(([name, value, note]) => (
        <div class="figure" key={name}>
          <span class="name">{name}</span>
          <strong class="num">{usd(value)}</strong>
          <span class="dim">{note}</span>
        </div>
      ))}
    </div>
  );
}

/** How much each project has, by drag or by number; what is changed is moved at once when somebody says so. */
function Allocations({ wallet, projects, onMoved }: { wallet: number; projects: Project[]; onMoved: () => void }) {
  const now = new Map(projects.map((one) => [one.id, micro(one.available_usd)]));
  const [wanted, setWanted] = useState<ReadonlyMap<string, number>>(now);
  const [texts, setTexts] = useState<ReadonlyMap<string, string>>(new Map());
  const [names] = useState(() => new Map(projects.map((one) => [one.id, freshName()])));
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);
  const changes = projects.map((one) => ({ id: one.id, by: (wanted.get(one.id) ?? 0) - (now.get(one.id) ?? 0) })).filter(({ by }) => by !== 0);
  const left = micro(wallet) - changes.reduce((sum, { by }) => sum + by, 0);
  const most = (id: string) => (wanted.get(id) ?? 0) + Math.max(0, left);
  const set = (id: string, micros: number) => {
    setWanted(new Map(wanted).set(id, Math.max(0, Math.min(micros, most(id)))));
    // Another amount is another movement.
    names.set(id, freshName());
    setProblem(null);
  };
  const hasFault = projects.some((one) => texts.has(one.id) && fault(texts.get(one.id) ?? "", most(one.id)) !== null);
  const move = async () => {
    setBusy(true);
    setProblem(null);
    try {
      // What goes back first: it may be what others are to get.
      for (const { id, by } of changes.toSorted((one, other) => one.by - other.by)) {
        const headers = onceUnder(names.get(id) ?? freshName());
        await dataOf(api.POST("/v1/projects/{id}/allocations", { params: { path: { id } }, body: { amount_usd: decimal(by) }, headers }));
      }
      say("Moved.");
      onMoved();
    } catch (error) {
      setProblem(problemOf(error));
      setBusy(false);
    }
  };
  return (
    <Panel title="Allocations">
      <SplitBar parts={[{ name: "Wallet", value: left }, ...projects.map((one) => ({ name: one.name, value: wanted.get(one.id) ?? 0 }))]} format={(micros) => usd(micros / 1e6)} />
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void move();
        }}
      >
        <ul class="allocations">
          {projects.map((one) => {
            const value = wanted.get(one.id) ?? 0;
            const text = texts.get(one.id) ?? decimal(value);
            return (
              <li key={one.id}>
                <span class="name">{one.name}<span class="sub">{usd(one.budget_usd)} allocated in all</span></span>
                <Slider
                  label={`Available to ${one.name}`}
                  value={value}
                  max={most(one.id)}
                  text={usd(value / 1e6)}
                  onChange={(micros) => {
                    set(one.id, micros);
                    setTexts(without(texts, one.id));
                  }}
                />
                <Input
                  class="small-field"
                  label={`Dollars for ${one.name}`}
                  inputMode="decimal"
                  value={text}
                  error={texts.has(one.id) ? fault(text, most(one.id)) : null}
                  onInput={(typed) => {
                    setTexts(new Map(texts).set(one.id, typed));
                    const micros = parseUsd(typed);
                    if (micros !== null && micros >= 0 && micros <= most(one.id)) set(one.id, micros);
                  }}
                />
              </li>
            );
          })}
        </ul>
        <Trouble problem={problem} retry={problem?.code === "allocation_exceeded" || problem?.code === "insufficient_credits" ? onMoved : undefined} />
        <p class="row">
          <button type="submit" class="primary" disabled={changes.length === 0 || isBusy || hasFault}>{isBusy ? "Moving…" : "Move"}</button>
          {changes.length > 0 && <button type="button" disabled={isBusy} onClick={() => { setWanted(now); setTexts(new Map()); }}>Undo</button>}
          <span role="status">{changes.map(({ id, by }) => `${by > 0 ? "+" : "−"}${usd(Math.abs(by) / 1e6)} ${projectName(id)}`).join(", ")}</span>
        </p>
      </form>
      <p class="hint">What keys hold already comes back by itself when they do not use it, or when they are revoked.</p>
    </Panel>
  );
}

function fault(text: string, most: number): string | null {
  const micros = parseUsd(text);
  if (micros === null || micros < 0) return "Dollars, such as 12.50.";
  return micros > most ? `At most ${usd(most / 1e6)}.` : null;
}

function without(map: ReadonlyMap<string, string>, id: string): Map<string, string> {
  const rest = new Map(map);
  rest.delete(id);
  return rest;
}

function TopUp({ wallet }: { wallet: number }) {
  const id = me.value?.account_id ?? "";
  return (
    <Panel title="Top up">
      <p>{wallet > 0 ? "More credit comes in" : "Credit comes in"} by a payment through the product’s checkout, or from the operator. Either way it arrives in the wallet, once, and shows below as a movement.</p>
      <p>Whoever asks for your account means this:</p>
      <p class="id"><code>{id}</code> <Copy text={id} /></p>
      <p class="hint">A checkout passes it on as <code>client_reference_id</code>. A payment without it reaches nobody until the operator has assigned it.</p>
      {isOperator.value && <p><a class="button" href={link("operator", { account: id })}>Credit it as the operator</a></p>}
    </Panel>
  );
}

/** Budgets of keys, and how far they are; what is passed at 50, 80 and 100 % is told in the key's history. */
function Thresholds() {
  const asked = useAsked(async (signal) => (await pageOf(api.GET("/v1/api-keys", { params: { query: { limit: 100, status: "active" } }, signal }))).data, []);
  return (
    <Panel title="Budgets of keys">
      <Shown of={asked}>
        {(keys) => {
          const part = ({ budget_usd, usage }: KeyWithUsage) => (budget_usd ? usage.spent_usd / budget_usd : 1);
          const budgeted = keys.filter(({ budget_usd }) => budget_usd !== null).sort((one, other) => part(other) - part(one));
          if (budgeted.length === 0) return <p class="dim">No active key has a budget. With one, a key stops before it has spent more, and its history tells when 50, 80 and 100 % are spent.</p>;
          return (
            <ul class="windows">
              {budgeted.slice(0, 20).map(({ id, name, budget_usd, usage }) => (
                <li key={id}>
                  <a href={link("keys", { key: id })}>{name}</a>
                  <Meter label={`Budget of ${name}`} used={usage.spent_usd} limit={budget_usd ?? 0} text={`${usd(usage.spent_usd)} of ${usd(budget_usd)}`} marks={[50, 80]} />
                </li>
              ))}
            </ul>
          );
        }}
      </Shown>
    </Panel>
  );
}

function Entries({ round }: { round: number }) {
  useProjects();
  const names = useKeyNames();
  const key = query.value.get("key_id") ?? undefined;
  const entries = usePages<Entry>((cursor, signal) => ask(api.GET("/v1/billing/entries", { params: { query: { limit: 50, cursor, key_id: key } }, signal })), [key, round]);
  return (
    <Panel
      title={key ? `Movements of ${names.get(key) ?? abbreviate(key)}` : "Movements"}
      aside={<Select label="Of" class="inline" value={key ?? ""} options={[["", "the wallet"], ...[...names].map(([id, name]) => [id, `the key ${name}`] as const)]} onChange={(key_id) => narrow({ key_id })} />}
    >
      {entries.rows.length > 0 && <EntryTable of={entries.rows} />}
      <MoreRows of={entries} none={key ? "This key received no money yet. It gets some when it first pays for a call." : "Nothing has moved yet."} />
    </Panel>
  );
}
