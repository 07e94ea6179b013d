// Movements of money, as a table.

import type { Entry } from "../api/client";
import { minute, usd } from "../format";
import { projectName } from "../projects";
import { Table, Time } from "./parts";

export function EntryTable({ of }: { of: readonly Entry[] }) {
  return (
    <Table label="Movements">
      <thead><tr><th scope="col">When</th><th scope="col">What</th><th scope="col">Project</th><th scope="col">Reference</th><th scope="col" class="num">Amount</th></tr></thead>
      <tbody>
        {of.map((entry) => (
          <tr key={entry.id}>
            <td class="nowrap"><Time at={entry.created_at} as={minute} /></td>
            <td>{KINDS[entry.kind][0]}</td>
            <td>{entry.project_id ? projectName(entry.project_id) : <span class="dim">–</span>}</td>
            <td>{entry.reference ?? <span class="dim">–</span>}</td>
            <td class="num nowrap">{KINDS[entry.kind][1]}{usd(entry.amount_usd)}</td>
          </tr>
        ))}
      </tbody>
    </Table>
  );
}

/** What a kind of movement is called, and which way it went for the wallet, or the key. */
const KINDS: Record<Entry["kind"], [string, string]> = {
  sign_up: ["Sign-up credit", "+"],
  credit: ["Credit", "+"],
  allocation: ["To a project", "−"],
  return: ["Back from a project", "+"],
  refund: ["Refunded to the payer", "−"],
  refund_reversed: ["Refund taken back", "+"],
  grant: ["Granted to the key", "+"],
  grant_returned: ["Returned by the key", "−"],
};
