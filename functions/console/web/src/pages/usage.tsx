// Calls, refusals, cost and latency over time, and how the windows of the keys stand now.

import { useMemo } from "preact/hooks";

import { type Analytics, type Latency, api, dataOf, pageOf, quiet } from "../api/client";
import { useAsked, useEvery } from "../ask";
import { abbreviate, count, dayTick, duration, hourTick, minute, short, usd, utcDay } from "../format";
import { projectName } from "../projects";
import { instant, rangeOf } from "../range";
import { type Filters, go, link, narrow, query } from "../route";
import { Chart, type Series, Swatch } from "../ui/chart";
import { Narrowing, filtersOf, isOfEverybody } from "../ui/narrowing";
import { Choice, Empty, Meter, Page, Panel, Shown, Table } from "../ui/parts";
import { useKeyNames } from "../key-names";

type Group = "key" | "project" | "route" | "code" | "environment";

export function UsagePage() {
  const now = query.value;
  const range = useMemo(() => rangeOf(now), [now]);
  const group = (GROUPS.find(([name]) => name === now.get("group"))?.[0] ?? "") as Group | "";
  const names = useKeyNames();
  const filters = filtersOf(now);
  const asked = useAsked(
    (signal) => dataOf(api.GET("/v1/analytics", { params: { query: { ...filters, from: range.from, to: range.to, bucket: range.bucket, group_by: group || undefined } }, signal })),
    [JSON.stringify(filters), range.from, range.to, range.bucket, group],
  );
  const codes = useAsked(
    (signal) => dataOf(api.GET("/v1/analytics", { params: { query: { ...filters, from: range.from, to: range.to, bucket: range.bucket, group_by: "code" } }, signal })),
    [JSON.stringify(filters), range.from, range.to, range.bucket],
  );
  return (
    <Page title="Usage" lead="What was called, what it cost, and what was refused. Rows come seconds after the call; how long it took is known of calls that are settled.">
      <Narrowing range={range} />
      <div class="filters">
        <Choice label="Split by" value={group} options={[["", "Whole"], ...GROUPS]} onChange={(value) => narrow({ group: value })} />
        <Choice label="Per" value={range.bucket} options={[["hour", "Hour"], ["day", "Day (UTC)"]]} onChange={(bucket) => narrow({ bucket })} />
      </div>
      <Shown of={asked}>{(numbers) => <Numbers of={numbers} group={group} names={names} />}</Shown>
      <Shown of={codes}>{(numbers) => <Codes of={numbers} />}</Shown>
      {!isOfEverybody(now) && <Live keyId={filters.key_id} projectId={filters.project_id} />}
    </Page>
  );
}

function Numbers({ of, group, names }: { of: Analytics; group: Group | ""; names: ReadonlyMap<string, string> }) {
  const nameOf = (id: string) => groupName(of.group_by ?? "", id, names);
  const { totals, buckets } = of;
  const starts = useMemo(() => buckets.map(({ start }) => Date.parse(start) / 1_000), [buckets]);
  const seconds = of.bucket === "day" ? 86_400 : 3_600;
  const calls = useMemo(() => callSeries(of, nameOf), [of, names]);
  const cost = useMemo(() => costSeries(of, nameOf), [of, names]);
  const latency = useMemo(() => latencySeries(of, nameOf), [of, names]);
  const title = (start: number) => (of.bucket === "day" ? `${utcDay(instant(start * 1_000))} (UTC)` : minute(instant(start * 1_000)));
  const pick = (index: number) => {
    const bucket = buckets[index];
    if (bucket) go(inside(bucket.start, seconds));
  };
  if (totals.calls === 0 && totals.refused === 0) {
    return (
      <Empty title="Nothing was called in this time">
        <p>Choose a longer time or fewer filters. A call shows here a few seconds after it was made.</p>
      </Empty>
    );
  }
  const picture = { starts, bucket: seconds, title, onPick: pick, tick: of.bucket === "day" ? dayTick : hourTick };
  return (
    <>
      <div class="figures">
        <Figure name="Admitted" value={count(totals.calls)} />
        <Figure name="Refused" value={count(totals.refused)} note={`${share(totals.refused, totals.calls + totals.refused)} of all`} />
        <Figure name="Cost" value={usd(totals.cost_usd)} note={totals.calls > 0 ? `${usd(Math.round((totals.cost_usd / totals.calls) * 1e6) / 1e6)} a call` : ""} />
        {totals.latency_ms && <Figure name="Latency" value={duration(totals.latency_ms.p50)} note={`half of ${count(totals.settled)} settled; 95 % within ${duration(totals.latency_ms.p95)}`} />}
      </div>
      <div class="grid">
        <Panel title="Calls" aside={<Legend of={calls} />}>
          <Chart label={`Calls over time: ${count(totals.calls)} admitted, ${count(totals.refused)} refused. The table below has every number.`} series={calls} format={short} {...picture} />
        </Panel>
        <Panel title="Cost" aside={group ? <Legend of={cost} /> : undefined}>
          <Chart label={`Cost over time: ${usd(totals.cost_usd)} in all. The table below has every number.`} series={cost} format={(value) => usd(Math.round(value * 1e6) / 1e6)} {...picture} />
        </Panel>
      </div>
      <Panel title={of.group_by ? "Latency, 95th percentile" : "Latency"} aside={totals.latency_ms ? <Legend of={latency} /> : undefined}>
        {totals.latency_ms ? (
          <Chart label={`Latency over time, from admission to settlement: half of ${count(totals.settled)} settled calls took at most ${duration(totals.latency_ms.p50)}, 95 % at most ${duration(totals.latency_ms.p95)}. The table below has every number.`} series={latency} format={duration} as="lines" {...picture} />
        ) : (
          <p class="dim">No call of this time was settled. A route that settles says in its settlement that a call has ended, and so how long it took.</p>
        )}
      </Panel>
      {of.group_by && <Groups of={of} nameOf={nameOf} />}
      <details class="more">
        <summary>The numbers, {of.bucket} by {of.bucket}</summary>
        <Table label="Numbers over time" class="tight">
          <thead><tr><th scope="col">From</th><th scope="col" class="num">Admitted</th><th scope="col" class="num">Refused</th><th scope="col" class="num">Cost</th><Latencies.Head /></tr></thead>
          <tbody>
            {[...buckets].reverse().filter(({ calls, refused }) => calls > 0 || refused > 0).map((one) => (
              <tr key={one.start}>
                <th scope="row"><a href={inside(one.start, seconds)}>{title(Date.parse(one.start) / 1_000)}</a></th>
                <td class="num">{count(one.calls)}</td>
                <td class="num">{count(one.refused)}</td>
                <td class="num">{usd(one.cost_usd)}</td>
                <Latencies of={one.latency_ms} />
              </tr>
            ))}
          </tbody>
        </Table>
      </details>
    </>
  );
}

function Groups({ of, nameOf }: { of: Analytics; nameOf: (id: string) => string }) {
  const group = of.group_by as Group;
  return (
    <Panel title={`By ${group}`}>
      <Table label={`By ${group}`}>
        <thead><tr><th scope="col">{GROUPS.find(([name]) => name === group)?.[1]}</th><th scope="col" class="num">Admitted</th><th scope="col" class="num">Refused</th><th scope="col" class="num">Cost</th><Latencies.Head /></tr></thead>
        <tbody>
          {of.groups.map((one, index) => (
            <tr key={one.group}>
              <th scope="row">
                <Swatch of={index} />
                {["sessions", "unknown"].includes(one.group) ? nameOf(one.group) : <a href={link("requests", kept({ [FILTER[group]]: one.group }))}>{nameOf(one.group)}</a>}
              </th>
              <td class="num">{count(one.totals.calls)}</td>
              <td class="num">{count(one.totals.refused)}</td>
              <td class="num">{usd(one.totals.cost_usd)}</td>
              <Latencies of={one.totals.latency_ms} />
            </tr>
          ))}
          {of.other && (
            <tr>
              <th scope="row"><Swatch of="other" /> All others</th>
              <td class="num">{count(of.other.totals.calls)}</td>
              <td class="num">{count(of.other.totals.refused)}</td>
              <td class="num">{usd(of.other.totals.cost_usd)}</td>
              <Latencies of={of.other.totals.latency_ms} />
            </tr>
          )}
        </tbody>
      </Table>
    </Panel>
  );
}

/** Three cells of a row: half, 95 % and 99 % of the settled calls took at most so long. */
function Latencies({ of }: { of: Latency }) {
  return <>{[of?.p50, of?.p95, of?.p99].map((ms, index) => <td key={index} class="num nowrap">{ms === undefined ? "–" : duration(ms)}</td>)}</>;
}
Latencies.Head = () => <>{["p50", "p95", "p99"].map((name) => <th key={name} scope="col" class="num"><abbr title={`Latency: ${name.slice(1)} % of the settled calls took at most so long`}>{name}</abbr></th>)}</>;

/** Why calls failed or were refused. */
function Codes({ of }: { of: Analytics }) {
  const refused = of.groups.filter(({ totals }) => totals.refused > 0).sort((one, other) => other.totals.refused - one.totals.refused);
  if (refused.length === 0) return null;
  const most = refused[0]?.totals.refused ?? 1;
  return (
    <Panel title="Refused, by code">
      <ul class="bars">
        {refused.map(({ group, totals }) => (
          <li key={group}>
            <a href={link("requests", kept({ code: group }))}><code>{group}</code></a>
            <Meter label={group} used={totals.refused} limit={most} text={count(totals.refused)} />
            <a class="dim" href={`/problems/${group}`} target="_blank" rel="noreferrer">what it means</a>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

/** How the windows stand, a few seconds old at most. */
function Live({ keyId, projectId }: { keyId: string | undefined; projectId: string | undefined }) {
  const params = { query: { limit: 100, status: "active" as const, project_id: projectId } };
  const asked = useAsked(async (signal) => (await pageOf(api.GET("/v1/api-keys", { params, signal }))).data, [projectId]);
  useEvery(LIVE_MS, () => {
    pageOf(quiet.GET("/v1/api-keys", { params })).then((page) => asked.put(page.data), () => {});
  });
  return (
    <Panel title="Right now" aside={<span class="live">live</span>}>
      <Shown of={asked}>
        {(all) => {
          const keys = all.filter(({ id }) => !keyId || id === keyId).sort((one, other) => other.usage.today - one.usage.today).slice(0, MOST_LIVE);
          if (keys.length === 0) return <p class="dim">No active key fits.</p>;
          return (
            <ul class="windows">
              {keys.map(({ id, name, usage, limits }) => (
                <li key={id}>
                  <a href={link("keys", { key: id })}>{name}</a>
                  <Meter label={`${name}, this minute`} used={usage.this_minute} limit={limits.per_minute + limits.burst} text={`${count(usage.this_minute)} / ${short(limits.per_minute + limits.burst)} this minute`} />
                  <Meter label={`${name}, today`} used={usage.today} limit={limits.per_day} text={`${count(usage.today)} / ${short(limits.per_day)} today`} />
                </li>
              ))}
            </ul>
          );
        }}
      </Shown>
    </Panel>
  );
}

function Figure({ name, value, note }: { name: string; value: string; note?: string }) {
  return (
    <div class="figure">
      <span class="name">{name}</span>
      <strong class="num">{value}</strong>
      {note && <span class="dim num">{note}</span>}
    </div>
  );
}

function Legend({ of }: { of: Series[] }) {
  return <span class="legend">{of.slice(0, 6).map((one) => <span key={one.name}><Swatch of={one.colour} />{one.name}</span>)}{of.length > 6 && <span>…</span>}</span>;
}

function callSeries(of: Analytics, nameOf: (id: string) => string): Series[] {
  const refused: Series = { name: "refused", values: of.buckets.map((one) => one.refused), colour: "refused" };
  if (!of.group_by) return [{ name: "admitted", values: of.buckets.map(({ calls }) => calls), colour: 0 }, refused];
  const groups = of.groups.map((one, index): Series => ({ name: nameOf(one.group), values: one.buckets.map(({ calls, refused }) => (of.group_by === "code" ? calls + refused : calls)), colour: index }));
  const others: Series[] = of.other ? [{ name: "others", values: of.other.buckets.map(({ calls }) => calls), colour: "other" }] : [];
  return of.group_by === "code" ? [...groups, ...others] : [...groups, ...others, refused];
}

function costSeries(of: Analytics, nameOf: (id: string) => string): Series[] {
  if (!of.group_by) return [{ name: "cost", values: of.buckets.map(({ cost_usd }) => cost_usd), colour: 2 }];
  const groups = of.groups.map((one, index): Series => ({ name: nameOf(one.group), values: one.buckets.map(({ cost_usd }) => cost_usd), colour: index }));
  return of.other ? [...groups, { name: "others", values: of.other.buckets.map(({ cost_usd }) => cost_usd), colour: "other" }] : groups;
}

/** What half and most of all calls took; of groups what most of each took. */
function latencySeries(of: Analytics, nameOf: (id: string) => string): Series[] {
  const values = (buckets: Analytics["buckets"], name: "p50" | "p95") => buckets.map(({ latency_ms }) => latency_ms?.[name] ?? null);
  if (!of.group_by) {
    return [
      { name: "p50", values: values(of.buckets, "p50"), colour: 0 },
      { name: "p95", values: values(of.buckets, "p95"), colour: 1 },
    ];
  }
  const groups = of.groups.map((one, index): Series => ({ name: nameOf(one.group), values: values(one.buckets, "p95"), colour: index }));
  return groups.filter(({ values }) => values.some((value) => value !== null));
}

function groupName(group: Group | "", id: string, keys: ReadonlyMap<string, string>): string {
  if (id === "sessions") return "signed in, without a key";
  if (id === "unknown") return "not known";
  if (group === "key") return keys.get(id) ?? abbreviate(id);
  return group === "project" ? projectName(id) : id;
}

/** The requests of one bucket, under the filters that hold now. */
function inside(start: string, seconds: number): string {
  return link("requests", kept({ from: start, to: instant(Date.parse(start) + seconds * 1_000), range: null }));
}

function kept(more: Filters): Filters {
  const { group: _, bucket: __, ...now } = Object.fromEntries(query.value);
  return { ...now, ...more };
}

function share(part: number, whole: number): string {
  return whole > 0 ? `${((100 * part) / whole).toLocaleString(undefined, { maximumFractionDigits: 1 })} %` : "0 %";
}

const GROUPS = [["key", "Key"], ["project", "Project"], ["route", "Route"], ["code", "Code"], ["environment", "Environment"]] as const;
const FILTER: Record<Group, string> = { key: "key_id", project: "project_id", route: "route", code: "code", environment: "environment" };
const LIVE_MS = 5_000;
const MOST_LIVE = 12;
