// For operators: any account, its plan and its credit, and payments that fit nobody.

import { useEffect, useState } from "preact/hooks";

import { type Account, type Entry, type Payment, api, ask, dataOf, freshName, onceUnder } from "../api/client";
import { useAsked, useDeed } from "../ask";
import { count, minute, parseUsd, decimal, usd } from "../format";
import { link, narrow, query } from "../route";
import { catalogue } from "../session";
import { Dialog, FormDialog } from "../ui/dialog";
import { Input, Select } from "../ui/field";
import { EntryTable } from "../ui/entries";
import { MoreRows, usePages } from "../ui/list";
import { Facts, Id, Page, Panel, Shown, Table, Time, Trouble } from "../ui/parts";
import { say } from "../ui/toast";

export function OperatorPage() {
  const id = query.value.get("account") ?? "";
  const [typed, setTyped] = useState(id);
  useEffect(() => setTyped(id), [id]);
  return (
    <Page
      title="Operator"
      lead="Across all accounts."
      actions={
        <>
          <a class="button" href={link("usage", { account_id: "all" })}>Everybody’s usage</a>
          <a class="button" href={link("requests", { account_id: "all" })}>Everybody’s requests</a>
        </>
      }
    >
      <form
        class="filters"
        role="search"
        aria-label="Find an account"
        onSubmit={(event) => {
          event.preventDefault();
          narrow({ account: typed.trim() });
        }}
      >
        <Input label="Account" value={typed} placeholder="acc_…" required pattern="\s*acc_[0-9A-Za-z]{22}\s*" title="acc_ and 22 letters and digits" class="id-field" onInput={setTyped} />
        <button type="submit" class="bottom">Open</button>
      </form>
      {id ? <OneAccount key={id} id={id} /> : <p class="hint">An account’s id stands on its owner’s Account page, in requests, and in payments.</p>}
      <Unmatched />
    </Page>
  );
}

function OneAccount({ id }: { id: string }) {
  const params = { path: { id } };
  const [round, setRound] = useState(0);
  const asked = useAsked((signal) => dataOf(api.GET("/v1/accounts/{id}", { params, signal })), [id]);
  return (
    <Shown of={asked}>
      {(account) => (
        <div class="grid">
          <Panel title="Account">
            <Facts
              of={[
                ["Id", <Id of={account.account_id} />],
                ["Wallet", <code>{account.address}</code>],
                ["Since", <Time at={account.created_at} as={minute} />],
                ["Plan", account.plan.max_keys === null ? `${account.plan.name}, which the policy does not have any more` : `${account.plan.name}: ${count(account.plan.max_keys)} keys`],
                ["Owed", usd(account.owed_usd)],
              ]}
            />
            <p class="row">
              <a class="button" href={link("usage", { account_id: id })}>Usage</a>
              <a class="button" href={link("requests", { account_id: id })}>Requests</a>
            </p>
          </Panel>
          <Plan of={account} onDone={asked.put} />
          <Credit
            of={account}
            onDone={() => {
              asked.reload();
              setRound((last) => last + 1);
            }}
          />
          <Money key={round} of={id} />
        </div>
      )}
    </Shown>
  );
}

/** Where an account's money is, and its last movements. */
function Money({ of: account_id }: { of: string }) {
  const billing = useAsked((signal) => dataOf(api.GET("/v1/billing", { params: { query: { account_id } }, signal })), [account_id]);
  const entries = usePages<Entry>((cursor, signal) => ask(api.GET("/v1/billing/entries", { params: { query: { account_id, limit: 10, cursor } }, signal })), [account_id]);
  return (
    <Panel title="Money">
      <Shown of={billing}>
        {(money) => (
          <Facts
            of={[
              ["Wallet", usd(money.wallet_usd)],
              ["In projects", `${usd(money.available_usd)} available of ${usd(money.allocated_usd)}`],
              ["Reserved", usd(money.reserved_usd)],
              ["Spent", `${usd(money.spent_today_usd)} today, ${usd(money.spent_month_usd)} this month, ${usd(money.spent_usd)} in all`],
            ]}
          />
        )}
      </Shown>
      {entries.rows.length > 0 && <EntryTable of={entries.rows} />}
      <MoreRows of={entries} none="Nothing has moved yet." />
    </Panel>
  );
}

function Plan({ of, onDone }: { of: Account; onDone: (account: Account) => void }) {
  const [plan, setPlan] = useState(of.plan.name);
  const deed = useDeed();
  const change = () =>
    deed.attempt(async () => {
      onDone(await dataOf(api.PATCH("/v1/accounts/{id}", { params: { path: { id: of.account_id } }, body: { plan } })));
      say(`The account is on the plan ${plan} now.`);
    });
  return (
    <Panel title="Plan">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void change();
        }}
      >
        <Select label="Plan" value={plan} options={(catalogue.value?.plans ?? []).map(({ name, max_keys, limits }) => [name, `${name}: ${count(max_keys)} keys, ${count(limits.per_minute)} a minute`] as const)} onChange={setPlan} hint="New keys and sessions are under it at once; keys stay as they are until their limits are changed." />
        <Trouble problem={deed.problem} />
        <button type="submit" disabled={deed.isBusy || plan === of.plan.name}>Move to this plan</button>
      </form>
    </Panel>
  );
}

function Credit({ of, onDone }: { of: Account; onDone: () => void }) {
  const [amount, setAmount] = useState("");
  const [reference, setReference] = useState("");
  const [once, setOnce] = useState(freshName);
  const [isAsking, ask] = useState(false);
  const deed = useDeed();
  const micros = parseUsd(amount);
  const isGood = micros !== null && micros > 0;
  const credit = () =>
    deed.attempt(async () => {
      const body = { amount_usd: decimal(micros ?? 0), reference: reference.trim() };
      const made = await dataOf(api.POST("/v1/accounts/{id}/credits", { params: { path: { id: of.account_id } }, body, headers: onceUnder(once) }));
      say(`Credited ${usd(made.amount_usd)}; the wallet has ${usd(made.wallet_usd)}.`);
      setAmount("");
      setReference("");
      setOnce(freshName());
      ask(false);
      onDone();
    });
  const changed = (set: (text: string) => void) => (text: string) => {
    set(text);
    setOnce(freshName());
    deed.forget();
  };
  return (
    <Panel title="Credit">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          ask(true);
        }}
      >
        <div class="columns">
          <Input label="Dollars" value={amount} inputMode="decimal" required error={amount && !isGood ? "More than zero, such as 25.00." : null} onInput={changed(setAmount)} />
          <Input label="Reference" value={reference} required maxLength={128} placeholder="invoice 2026-0042" onInput={changed(setReference)} hint="Credited once for ever, however often it is sent." />
        </div>
        <button type="submit" disabled={!isGood || !reference.trim()}>Credit…</button>
      </form>
      {isAsking && (
        <FormDialog title="Credit the account" verb={`Credit ${usd((micros ?? 0) / 1e6)}`} isBusy={deed.isBusy} problem={deed.problem} onSubmit={() => void credit()} onClose={() => ask(false)}>
          <p>{usd((micros ?? 0) / 1e6)} go to the wallet of <code>{of.account_id}</code> under the reference “{reference.trim()}”.</p>
        </FormDialog>
      )}
    </Panel>
  );
}

function Unmatched() {
  const [round, setRound] = useState(0);
  const [opened, open] = useState<Payment | null>(null);
  const payments = usePages<Payment>((cursor, signal) => ask(api.GET("/v1/payments/unmatched", { params: { query: { limit: 50, cursor } }, signal })), [round]);
  return (
    <Panel title="Payments that need you">
      {payments.rows.length > 0 && (
        <Table label="Payments that need you">
          <thead><tr><th scope="col">When</th><th scope="col">Payment</th><th scope="col">Why</th><th scope="col" class="num">Paid</th><th scope="col">For</th><th scope="col" class="num">Refunded</th><th scope="col"><span class="hidden">What can be done</span></th></tr></thead>
          <tbody>
            {payments.rows.map((one) => (
              <tr key={one.id}>
                <td class="nowrap"><Time at={one.created_at} as={minute} /></td>
                <th scope="row"><code>{one.id}</code></th>
                <td>{one.reason ? REASONS[one.reason] : ""}</td>
                <td class="num">{one.amount_usd === null ? (one.stated_amount ?? "–") : usd(one.amount_usd)}</td>
                <td>{one.stated_account ?? <span class="dim">nobody</span>}</td>
                <td class="num">{usd(one.refunded_usd)}</td>
                <td><button type="button" class="small" onClick={() => open(one)}>Assign<span class="hidden"> {one.id}</span></button></td>
              </tr>
            ))}
          </tbody>
        </Table>
      )}
      <MoreRows of={payments} none="None: each payment reached an account." />
      {opened && (
        <Assign
          of={opened}
          onClose={() => open(null)}
          onDone={() => {
            open(null);
            setRound((last) => last + 1);
          }}
        />
      )}
    </Panel>
  );
}

function Assign({ of, onClose, onDone }: { of: Payment; onClose: () => void; onDone: () => void }) {
  const stated = of.stated_account && /^acc_[0-9A-Za-z]{22}$/.test(of.stated_account) ? of.stated_account : "";
  const [account, setAccount] = useState(stated);
  const [amount, setAmount] = useState("");
  const deed = useDeed();
  const needsAmount = of.amount_usd === null && of.reason !== "unknown_payment";
  const micros = parseUsd(amount);
  const assign = (account_id: string | null) =>
    deed.attempt(async () => {
      const body = { account_id, ...(account_id && needsAmount && micros ? { amount_usd: decimal(micros) } : {}) };
      await dataOf(api.POST("/v1/payments/{id}/assign", { params: { path: { id: of.id } }, body, headers: onceUnder(freshName()) }));
      say(account_id ? "Assigned, and credited." : "Put aside: it belongs to no account here.");
      onDone();
    });
  return (
    <Dialog title={`Whose is ${of.id}?`} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void assign(account.trim());
        }}
      >
        <div class="dialog-body">
          <p>What was paid is credited to the account, and what was refunded of it is taken. It cannot be given to another one afterwards.</p>
          <Input label="Account" value={account} required pattern="\s*acc_[0-9A-Za-z]{22}\s*" placeholder="acc_…" onInput={setAccount} />
          {needsAmount && <Input label="Worth in dollars" value={amount} inputMode="decimal" hint="The payment is not in whole US cents, so say what it is worth." error={amount && (micros ?? 0) <= 0 ? "More than zero, such as 25.00." : null} onInput={setAmount} />}
        </div>
        <Trouble problem={deed.problem} />
        <footer>
          <button type="button" disabled={deed.isBusy} onClick={() => void assign(null)}>It is of no account here</button>
          <button type="submit" class="primary" disabled={deed.isBusy || !account.trim()}>Assign</button>
        </footer>
      </form>
    </Dialog>
  );
}

const REASONS: Record<NonNullable<Payment["reason"]>, string> = {
  no_account: "It names no account.",
  unknown_account: "There is no such account.",
  other_currency: "It is in another currency.",
  malformed_amount: "Its amount is no amount.",
  conflicting: "It was told twice, and differently.",
  wallet_full: "The account’s wallet would hold too much.",
  unknown_payment: "It was refunded, and nobody knows that it was paid.",
  exceeds_payment: "More was refunded than was paid.",
  not_covered: "The wallet has not what was refunded.",
};
