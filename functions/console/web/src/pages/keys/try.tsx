// What the gate would say to a call with this key, without making it.

import { useState } from "preact/hooks";

import { type Explanation, type KeyWithUsage, api, dataOf } from "../../api/client";
import { useDeed } from "../../ask";
import { count, usd } from "../../format";
import { catalogue } from "../../session";
import { Input, Select } from "../../ui/field";
import { Panel, Status, Table, Time, Trouble } from "../../ui/parts";

export function TryCall({ of }: { of: KeyWithUsage }) {
  const routes = catalogue.value?.routes ?? [];
  const [route, setRoute] = useState(routes[0]?.route ?? "GET /");
  const [path, setPath] = useState("");
  const [origin, setOrigin] = useState("");
  const [said, setSaid] = useState<Explanation | null>(null);
  const deed = useDeed();
  const [method = "GET", pattern = "/"] = route.split(" ");
  const isOpen = pattern.includes("{");
  const ask = () =>
    deed.attempt(async () => {
      const body = { method: method === "ANY" ? "GET" : method, path: isOpen ? path.trim() : pattern, ...(origin.trim() ? { origin: origin.trim() } : {}) };
      setSaid(await dataOf(api.POST("/v1/api-keys/{id}/explain", { params: { path: { id: of.id } }, body })));
    });
  return (
    <Panel title="Ask the gate">
      <form
        class="filters"
        onSubmit={(event) => {
          event.preventDefault();
          void ask();
        }}
      >
        <Select label="Call" value={route} options={routes.map((one) => [one.route, `${one.route}${one.cost_usd > 0 ? `, ${usd(one.cost_usd)}` : ""}`] as const)} onChange={setRoute} />
        {isOpen && <Input label="Path" value={path} placeholder={pattern} required onInput={setPath} />}
        <Input label="From the origin" value={origin} placeholder="none" onInput={setOrigin} />
        <button type="submit" disabled={deed.isBusy}>What would it say?</button>
      </form>
      <Trouble problem={deed.problem} />
      {said && <Said of={said} />}
      {!said && <p class="hint">Check by check, with the state of every limit. Nothing is called, counted or paid.</p>}
    </Panel>
  );
}

function Said({ of }: { of: Explanation }) {
  return (
    <div role="status">
      <p>
        {of.allowed ? <>It would go through{of.route && of.route.cost_usd > 0 ? <> and {of.route.settle ? "reserve" : "cost"} {usd(of.route.cost_usd)}</> : ", for free"}.</> : <>It would be refused with <strong>{of.status}</strong> <a href={`/problems/${of.code}`} target="_blank" rel="noreferrer"><code>{of.code}</code></a>: {of.problem?.detail}</>}
      </p>
      <div class="grid">
        <Table label="Checks">
          <thead><tr><th scope="col">Check</th><th scope="col">Outcome</th></tr></thead>
          <tbody>
            {of.checks.map(({ check, outcome, code }) => (
              <tr key={check}>
                <th scope="row">{check.replaceAll("_", " ")}</th>
                <td><Status of={outcome} as={outcome === "passed" ? "active" : outcome === "refused" ? "refused" : "dim"} /> {code && <code>{code}</code>}</td>
              </tr>
            ))}
          </tbody>
        </Table>
        <Table label="Limits">
          <thead><tr><th scope="col">Limit</th><th scope="col" class="num">Used</th><th scope="col" class="num">Left</th><th scope="col">Opens again</th></tr></thead>
          <tbody>
            {of.limits.map(({ name, source, limit, used, remaining, resets_at }) => (
              <tr key={name}>
                <th scope="row">{name === "concurrent" ? "at once" : name} <span class="sub">of the {source}</span></th>
                <td class="num">{count(used)} of {count(limit)}</td>
                <td class="num">{count(remaining)}</td>
                <td class="nowrap">{resets_at ? <Time at={resets_at} /> : <span class="dim">as calls end</span>}</td>
              </tr>
            ))}
          </tbody>
        </Table>
      </div>
    </div>
  );
}
