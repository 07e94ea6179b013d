// The money audit: a row for each admitted call, what was refused beside it, under every filter that the API has.

import { useEffect, useMemo, useState } from "preact/hooks";

import { type RefusedCalls, type Row, api, ask } from "../api/client";
import { type Problem, problemOf } from "../api/problem";
import { abbreviate, count, duration, minute, moment, usd } from "../format";
import { useKeyNames } from "../key-names";
import { projectName } from "../projects";
import { instant, rangeOf } from "../range";
import { link, narrow, query } from "../route";
import { Narrowing, filtersOf, isOfEverybody } from "../ui/narrowing";
import { Empty, Page, Status, Table, Time, Trouble } from "../ui/parts";

type Line = { at: number; row: Row } | { at: number; refused: RefusedCalls };

export function RequestsPage() {
  const now = query.value;
  const range = useMemo(() => rangeOf(now, "day"), [now]);
  const filters = filtersOf(now);
  const question = JSON.stringify({ ...filters, from: range.from, to: range.to });
  const pages = useRequests(question);
  const isAllAccounts = isOfEverybody(now);
  const csv = `/v1/requests.csv?${new URLSearchParams(Object.entries({ ...filters, from: range.from, to: range.to }).filter((one): one is [string, string] => Boolean(one[1])))}`;
  return (
    <Page
      title="Requests"
      lead="Every admitted call with what it cost; refused ones are counted by the hour."
      actions={
        <>
          <button type="button" onClick={pages.again}>Refresh</button>
          <a class="button" href={csv} download title="The first 10,000 rows of what is chosen">CSV</a>
        </>
      }
    >
      <Narrowing range={range} />
      <Trouble problem={pages.problem} retry={pages.retry} />
      {pages.lines.length > 0 && <Lines of={pages.lines} isStale={pages.isLoading} isAllAccounts={isAllAccounts} />}
      {pages.lines.length === 0 && !pages.isLoading && !pages.problem && !pages.hasOlder && (
        <Empty title={pages.number === 0 ? "No call fits" : "Nothing older"}>
          <p>Choose a longer time or fewer filters. A call shows here a few seconds after it was made, and as long as its environment keeps rows.</p>
        </Empty>
      )}
      <nav class="pager" aria-label="Pages of requests">
        <button type="button" disabled={pages.number === 0 || pages.isLoading} onClick={pages.newer}>← Newer</button>
        <span role="status">{pages.isLoading ? (pages.tries > 1 ? `Looking through older rows… (${pages.tries})` : "Loading…") : `Page ${pages.number + 1}, ${count(pages.lines.length)} lines`}</span>
        <button type="button" disabled={!pages.hasOlder || pages.isLoading} onClick={pages.older}>Older →</button>
      </nav>
    </Page>
  );
}

/** One page at a time, and the way back: a million rows are never all here. */
function useRequests(question: string) {
  const [trail, setTrail] = useState<{ question: string; cursors: (string | undefined)[] }>({ question, cursors: [undefined] });
  const [page, setPage] = useState<{ lines: Line[]; next: string | null }>({ lines: [], next: null });
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isLoading, setLoading] = useState(true);
  const [tries, setTries] = useState(0);
  const [round, setRound] = useState(0);
  const cursors = trail.question === question ? trail.cursors : [undefined];
  const cursor = cursors.at(-1);
  useEffect(() => {
    const controller = new AbortController();
    setLoading(true);
    setProblem(null);
    read(JSON.parse(question), cursor, controller.signal, setTries)
      .then((found) => {
        if (controller.signal.aborted) return;
        setPage(found);
        setLoading(false);
      })
      .catch((error: unknown) => {
        if (controller.signal.aborted) return;
        setProblem(problemOf(error));
        setLoading(false);
      });
    return () => controller.abort();
  }, [question, cursor, round]);
  return {
    lines: page.lines,
    problem,
    isLoading,
    tries,
    number: cursors.length - 1,
    hasOlder: page.next !== null,
    older: () => page.next !== null && setTrail({ question, cursors: [...cursors, page.next] }),
    newer: () => setTrail({ question, cursors: cursors.slice(0, -1) }),
    retry: () => setRound((last) => last + 1),
    again: () => {
      setTrail({ question, cursors: [undefined] });
      setRound((last) => last + 1);
    },
  };
}

/** A page may be short, or empty, before the end: the API looks through so many rows and no more. So it is asked on. */
async function read(filters: Record<string, string>, first: string | undefined, signal: AbortSignal, tell: (tries: number) => void) {
  const lines: Line[] = [];
  let cursor = first;
  for (let tries = 1; ; tries++) {
    tell(tries);
    const page = await ask(api.GET("/v1/requests", { params: { query: { ...filters, limit: PAGE_ROWS, cursor } }, signal }));
    lines.push(...page.data.map((row) => ({ at: Date.parse(row.at), row })), ...page.refused.map((refused) => ({ at: Date.parse(refused.hour) + 3_599_999, refused })));
    if (page.next_cursor === null || lines.length >= ENOUGH || tries >= MAX_TRIES) return { lines: lines.sort((one, other) => other.at - one.at), next: page.next_cursor };
    cursor = page.next_cursor;
  }
}

function Lines({ of, isStale, isAllAccounts }: { of: Line[]; isStale: boolean; isAllAccounts: boolean }) {
  const names = useKeyNames();
  return (
    <div class={isStale ? "stale" : undefined}>
      <Table label="Requests" class="requests tight">
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">Route</th>
            <th scope="col">Code</th>
            <th scope="col" class="num">Cost</th>
            {isAllAccounts && <th scope="col">Account</th>}
            <th scope="col">Key</th>
            <th scope="col" class="mid">Project</th>
            <th scope="col" class="wide">Environment</th>
            <th scope="col" class="wide">From</th>
          </tr>
        </thead>
        <tbody>
          {of.map((line) =>
            "row" in line ? <Admitted key={line.row.id} of={line.row} names={names} isAllAccounts={isAllAccounts} /> : <Refused key={`${line.refused.hour} ${line.refused.account_id} ${line.refused.key_id} ${line.refused.route} ${line.refused.code} ${line.refused.project_id}`} of={line.refused} names={names} isAllAccounts={isAllAccounts} />,
          )}
        </tbody>
      </Table>
    </div>
  );
}

interface LineProps<T> {
  of: T;
  names: ReadonlyMap<string, string>;
  isAllAccounts: boolean;
}

function Admitted({ of, names, isAllAccounts }: LineProps<Row>) {
  const [isOpen, open] = useState(false);
  return (
    <>
      <tr>
        <th scope="row" class="nowrap">
          <button type="button" class="fold" aria-expanded={isOpen} aria-label={`${isOpen ? "Less" : "More"} of the call at ${moment(of.at)}`} onClick={() => open(!isOpen)}>{isOpen ? "▾" : "▸"}</button>
          <Time at={of.at} as={moment} />
        </th>
        <td><Narrow by="route" to={of.route} /></td>
        <td><Narrow by="code" to={of.code} /></td>
        <td class="num">{usd(of.cost_usd)}{of.reserved_usd !== null && of.settled_at === null && <span class="sub">reserved</span>}</td>
        {isAllAccounts && <td><Narrow by="account_id" to={of.account_id} as={abbreviate(of.account_id)} /></td>}
        <td>{of.key_id ? <Narrow by="key_id" to={of.key_id} as={names.get(of.key_id) ?? abbreviate(of.key_id)} /> : <span class="dim">signed in</span>}</td>
        <td class="mid"><Narrow by="project_id" to={of.project_id} as={projectName(of.project_id)} /></td>
        <td class="wide"><Narrow by="environment" to={of.environment} /></td>
        <td class="wide nowrap">{[of.network, of.agent].filter(Boolean).join(" · ")}</td>
      </tr>
      {isOpen && (
        <tr class="unfolded">
          <td colSpan={isAllAccounts ? 9 : 8}>
            <dl class="facts in-row">
              <div><dt>Charge</dt><dd><code>{of.id}</code></dd></div>
              <div><dt>Reserved</dt><dd>{of.reserved_usd === null ? "nothing: the price is fixed" : usd(of.reserved_usd)}</dd></div>
              <div><dt>Settled</dt><dd>{of.settled_at ? <><Time at={of.settled_at} as={moment} /> {of.outcome && <Status of={of.outcome} />}{of.latency_ms !== null && ` after ${duration(of.latency_ms)}`}</> : of.reserved_usd === null ? "–" : "not yet"}</dd></div>
              {of.client_session_id && <div><dt>Client session</dt><dd><code>{of.client_session_id}</code></dd></div>}
              {of.error_code && <div><dt>Error</dt><dd><code>{of.error_code}</code></dd></div>}
              <div><dt>Account</dt><dd><code>{of.account_id}</code></dd></div>
              <div><dt>From</dt><dd>{[of.network, of.agent].filter(Boolean).join(" · ") || "not known"}</dd></div>
              {of.key_id && <div><dt>Key</dt><dd><a href={link("keys", { key: of.key_id })}>{names.get(of.key_id) ?? of.key_id}</a></dd></div>}
            </dl>
          </td>
        </tr>
      )}
    </>
  );
}

function Refused({ of, names, isAllAccounts }: LineProps<RefusedCalls>) {
  const until = instant(Date.parse(of.hour) + 3_600_000);
  return (
    <tr class="refused">
      <th scope="row" class="nowrap"><Time at={of.hour} as={minute} /><span class="sub">and the hour after</span></th>
      <td>{of.route ? <Narrow by="route" to={of.route} /> : <span class="dim">no route</span>}</td>
      <td><Narrow by="code" to={of.code} /></td>
      <td class="num"><a href={link("usage", { from: of.hour, to: until, code: of.code })}>{count(of.calls)} refused</a></td>
      {isAllAccounts && <td>{of.account_id ? abbreviate(of.account_id) : <span class="dim">not known</span>}</td>}
      <td>{of.key_id ? <Narrow by="key_id" to={of.key_id} as={names.get(of.key_id) ?? abbreviate(of.key_id)} /> : <span class="dim">not known</span>}</td>
      <td class="mid">{projectName(of.project_id)}</td>
      <td class="wide">{of.environment ?? ""}</td>
      <td class="wide" />
    </tr>
  );
}

/** A cell that leads to all that has the same in it. */
function Narrow({ by, to, as }: { by: string; to: string; as?: string }) {
  return <a class="cell" href={link("requests", { ...Object.fromEntries(query.value), [by]: to })} onClick={(event) => { event.preventDefault(); narrow({ [by]: to }); }}>{as ?? to}</a>;
}

const PAGE_ROWS = 50;
const ENOUGH = 25;
const MAX_TRIES = 20;
