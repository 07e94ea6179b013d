// What happened with a key that its owner should hear of.

import { type KeyEvent, api, ask } from "../../api/client";
import { count, minute, usd } from "../../format";
import { MoreRows, usePages } from "../../ui/list";
import { Panel, Table, Time } from "../../ui/parts";

export function History({ of: id }: { of: string }) {
  const events = usePages<KeyEvent>((cursor, signal) => ask(api.GET("/v1/api-keys/{id}/events", { params: { path: { id }, query: { limit: 20, cursor } }, signal })), [id]);
  return (
    <Panel title="History">
      {events.rows.length > 0 && (
        <Table label="History">
          <thead><tr><th scope="col">When</th><th scope="col">What</th></tr></thead>
          <tbody>
            {events.rows.map((event, index) => (
              <tr key={index}>
                <td class="nowrap"><Time at={event.at} as={minute} /></td>
                <td>{told(event)}</td>
              </tr>
            ))}
          </tbody>
        </Table>
      )}
      <MoreRows of={events} none="Nothing yet. First uses from a network, more calls than usual, parts of the budget that are spent and wrong secrets are told here, seconds after they happen." />
    </Panel>
  );
}

export function told({ kind, details: given }: KeyEvent): string {
  const details = given as Record<string, unknown>;
  const dollars = (name: string) => usd(Number(details[name] ?? 0) / 1_000_000);
  const number = (name: string) => count(Number(details[name] ?? 0));
  switch (kind) {
    case "new_network":
      return `First used from the network ${details.network}.`;
    case "new_agent":
      return `First used by ${details.agent}.`;
    case "spike":
      return `More calls than usual: ${number("calls")} in an hour; the most in an hour of the week before was ${number("usual")}.`;
    case "budget":
      return `${details.percent} % of the budget is spent: ${dollars("spent_micro_usd")} of ${dollars("budget_micro_usd")}.`;
    case "unauthorized":
      return `${number("calls")} calls in an hour named this key with a wrong secret.`;
    default:
      return `${kind.replaceAll("_", " ")}: ${Object.entries(details).map(([name, value]) => `${name} ${String(value)}`).join(", ")}`;
  }
}
