// Webhooks: endpoints that are told what happens, and what was delivered to them.

import { useState } from "preact/hooks";

import { type Delivery, type Webhook, api, ask, dataOf, freshName, onceUnder, pageOf } from "../api/client";
import { useAsked, useDeed } from "../ask";
import { abbreviate, count, minute, moment } from "../format";
import { useKeyNames } from "../key-names";
import { link, narrow, query } from "../route";
import { FormDialog } from "../ui/dialog";
import { Check, Input, Select } from "../ui/field";
import { MoreRows, usePages } from "../ui/list";
import { Copy, Empty, Facts, Id, Page, Panel, Shown, Status, Table, Time, Trouble } from "../ui/parts";
import { say } from "../ui/toast";

export function WebhooksPage() {
  const id = query.value.get("endpoint");
  return id ? <Endpoint key={id} id={id} /> : <Endpoints />;
}

function Endpoints() {
  const names = useKeyNames();
  const asked = useAsked(async (signal) => (await pageOf(api.GET("/v1/webhooks", { params: { query: { limit: 100 } }, signal }))).data, []);
  const isNew = query.value.has("new");
  return (
    <Page
      title="Webhooks"
      lead="Endpoints of yours that are told when something happens. Each belongs to a key and ends with it."
      actions={<button type="button" class="primary" onClick={() => narrow({ new: "1" })}>New endpoint</button>}
    >
      <Shown of={asked}>
        {(endpoints) =>
          endpoints.length === 0 ? (
            <Empty title="No endpoint yet">
              <p>An endpoint is told of new and revoked keys, of budgets that run out, of credit that comes in and of much else, seconds after it happens.</p>
              <p><button type="button" class="primary" onClick={() => narrow({ new: "1" })}>Make the first endpoint</button></p>
            </Empty>
          ) : (
            <Table label="Endpoints">
              <thead><tr><th scope="col">Address</th><th scope="col">Status</th><th scope="col">Events</th><th scope="col">Key</th><th scope="col" class="mid">Made</th></tr></thead>
              <tbody>
                {endpoints.map((one) => (
                  <tr key={one.id} class={one.status === "disabled" ? "over" : undefined}>
                    <th scope="row"><a href={link("webhooks", { endpoint: one.id })}>{one.url}</a>{one.description && <span class="sub">{one.description}</span>}</th>
                    <td><Status of={one.status} />{one.failing_since && <span class="sub">failing since {minute(one.failing_since)}</span>}</td>
                    <td>{eventsText(one.events)}</td>
                    <td>{names.get(one.key_id) ?? abbreviate(one.key_id)}</td>
                    <td class="mid nowrap"><Time at={one.created_at} as={minute} /></td>
                  </tr>
                ))}
              </tbody>
            </Table>
          )
        }
      </Shown>
      {isNew && (
        <EndpointForm
          onClose={() => narrow({ new: null }, "replace")}
          onDone={(made) => {
            narrow({ new: null, endpoint: made.id });
            asked.reload();
          }}
        />
      )}
    </Page>
  );
}

function Endpoint({ id }: { id: string }) {
  const params = { path: { id } };
  const names = useKeyNames();
  const asked = useAsked((signal) => dataOf(api.GET("/v1/webhooks/{id}", { params, signal })), [id]);
  const [open, setOpen] = useState<"change" | "delete" | null>(null);
  const [round, setRound] = useState(0);
  const deed = useDeed();
  const close = () => setOpen(null);
  const test = () =>
    deed.attempt(async () => {
      await dataOf(api.POST("/v1/webhooks/{id}/test", { params }));
      say("A test event is on its way.");
      setRound((last) => last + 1);
    });
  const enable = (enabled: boolean) =>
    deed.attempt(async () => {
      asked.put(await dataOf(api.PATCH("/v1/webhooks/{id}", { params, body: { enabled } })));
      say(enabled ? "Enabled; its days of failures are counted anew." : "Disabled.");
    });
  const one = asked.data;
  return (
    <Page
      title={one?.description || "Endpoint"}
      lead={<><a href={link("webhooks")}>All endpoints</a>{one && <> · <Status of={one.status} /></>}</>}
      actions={
        one && (
          <>
            <button type="button" disabled={deed.isBusy || one.status === "disabled"} onClick={() => void test()}>Send a test</button>
            <button type="button" onClick={() => setOpen("change")}>Change</button>
            <button type="button" disabled={deed.isBusy} onClick={() => void enable(one.status === "disabled")}>{one.status === "disabled" ? "Enable" : "Disable"}</button>
            <button type="button" class="danger" onClick={() => setOpen("delete")}>Delete</button>
          </>
        )
      }
    >
      <Trouble problem={deed.problem} />
      <Shown of={asked}>
        {(endpoint) => (
          <>
            <Panel title="Settings">
              <Facts
                of={[
                  ["Address", <span class="id"><code>{endpoint.url}</code> <Copy text={endpoint.url} /></span>],
                  ["Events", eventsText(endpoint.events)],
                  ["Key", <a href={link("keys", { key: endpoint.key_id })}>{names.get(endpoint.key_id) ?? endpoint.key_id}</a>],
                  ["Signed under", "a secret that follows from the key: its holder computes it, so it is not shown here"],
                  ...(endpoint.disabled_reason ? [["Disabled", <>{REASONS[endpoint.disabled_reason]} {endpoint.disabled_at && <Time at={endpoint.disabled_at} />}</>] as [string, preact.ComponentChildren]] : []),
                  ["Id", <Id of={endpoint.id} />],
                ]}
              />
            </Panel>
            <Deliveries of={endpoint} round={round} />
            {open === "change" && (
              <EndpointForm
                of={endpoint}
                onClose={close}
                onDone={(changed) => {
                  asked.put(changed);
                  close();
                }}
              />
            )}
            {open === "delete" && <DeleteEndpoint of={endpoint} onClose={close} />}
          </>
        )}
      </Shown>
    </Page>
  );
}

function Deliveries({ of, round }: { of: Webhook; round: number }) {
  const [again, setAgain] = useState(0);
  const deliveries = usePages<Delivery>((cursor, signal) => ask(api.GET("/v1/webhooks/{id}/deliveries", { params: { path: { id: of.id }, query: { limit: 30, cursor } }, signal })), [of.id, round, again]);
  const deed = useDeed();
  const redeliver = (delivery: string) =>
    deed.attempt(async () => {
      await dataOf(api.POST("/v1/webhooks/{id}/deliveries/{delivery}/redeliver", { params: { path: { id: of.id, delivery } } }));
      say("On its way again, under the same id.");
      setAgain((last) => last + 1);
    });
  return (
    <Panel title="Deliveries" aside={<button type="button" class="small" onClick={() => setAgain((last) => last + 1)}>Refresh</button>}>
      <Trouble problem={deed.problem} />
      {deliveries.rows.length > 0 && (
        <Table label="Deliveries">
          <thead><tr><th scope="col">When</th><th scope="col">Event</th><th scope="col">Outcome</th><th scope="col">Last attempt</th><th scope="col"><span class="hidden">What can be done</span></th></tr></thead>
          <tbody>
            {deliveries.rows.map((one) => {
              const last = one.attempts.at(-1);
              return (
                <tr key={one.id}>
                  <td class="nowrap"><Time at={one.created_at} as={minute} /></td>
                  <th scope="row"><code>{one.type}</code><code class="sub">{one.id}</code></th>
                  <td><Status of={one.status} />{one.reason && <span class="sub">{one.reason}</span>}{one.next_attempt_at && <span class="sub">next try <Time at={one.next_attempt_at} /></span>}</td>
                  <td>{last ? <>{last.status_code ?? last.error} <span class="sub" title={one.attempts.map(({ at, status_code, error }) => `${moment(at)}: ${status_code ?? error}`).join("\n")}>{count(one.attempts.length)} {one.attempts.length === 1 ? "attempt" : "attempts"}</span></> : <span class="dim">none yet</span>}</td>
                  <td class="row-actions"><button type="button" class="small" disabled={deed.isBusy || of.status === "disabled"} onClick={() => void redeliver(one.id)}>Send again<span class="hidden"> {one.id}</span></button></td>
                </tr>
              );
            })}
          </tbody>
        </Table>
      )}
      <MoreRows of={deliveries} none="Nothing was delivered in the last 30 days. Send a test to see how it arrives." />
    </Panel>
  );
}

function EndpointForm({ of, onClose, onDone }: { of?: Webhook; onClose: () => void; onDone: (endpoint: Webhook) => void }) {
  const keys = useAsked(async (signal) => (await pageOf(api.GET("/v1/api-keys", { params: { query: { limit: 100, status: "active" } }, signal }))).data, []);
  const [url, setUrl] = useState(of?.url ?? "");
  const [description, setDescription] = useState(of?.description ?? "");
  const [key, setKey] = useState(of?.key_id ?? "");
  const [isAll, setAll] = useState(!of || of.events.includes("*"));
  const [events, setEvents] = useState<string[]>(of?.events.filter((one) => one !== "*") ?? []);
  const [once, setOnce] = useState(freshName);
  const deed = useDeed();
  const changed = <T,>(set: (value: T) => void) => (value: T) => {
    set(value);
    setOnce(freshName());
    deed.forget();
  };
  const chosen = key || keys.data?.[0]?.id || "";
  const submit = () =>
    deed.attempt(async () => {
      const body = { url: url.trim(), description: description.trim() || null, events: (isAll ? ["*"] : events) as Webhook["events"] };
      onDone(await dataOf(of ? api.PATCH("/v1/webhooks/{id}", { params: { path: { id: of.id } }, body }) : api.POST("/v1/webhooks", { body: { ...body, key_id: chosen }, headers: onceUnder(once) })));
      say(of ? "Changed." : "The endpoint is there. Send it a test.");
    });
  const field = deed.problem?.field;
  const isReady = url.trim() !== "" && (isAll || events.length > 0) && (of !== undefined || chosen !== "");
  return (
    <FormDialog title={of ? "Change the endpoint" : "New endpoint"} verb={of ? "Change" : "Create the endpoint"} wide isBusy={deed.isBusy} isReady={isReady} problem={deed.problem} onSubmit={() => void submit()} onClose={onClose}>
      <Input label="Address" value={url} required maxLength={2_048} placeholder="https://hooks.example.com/faregate" error={field === "url" ? deed.problem?.message : null} hint="https, to a public address." onInput={changed(setUrl)} />
      {!of && (
        <Select
          label="Key that owns it"
          value={chosen}
          options={(keys.data ?? []).map(({ id, name, key_prefix }) => [id, `${name} (${key_prefix}…)`] as const)}
          hint={keys.data?.length === 0 ? "No active key: make one first." : "It hears of the key’s project and of the account’s credits. What is sent is signed under a secret that follows from the key."}
          onChange={changed(setKey)}
        />
      )}
      <Input label="Description" value={description} maxLength={200} onInput={changed(setDescription)} />
      <Check label="All events, those too that come later" checked={isAll} onChange={changed(setAll)} />
      {!isAll && (
        <fieldset class="scopes">
          <legend>Events</legend>
          {EVENTS.map((one) => <Check key={one} label={<code>{one}</code>} checked={events.includes(one)} onChange={(isOn) => changed(setEvents)(isOn ? [...events, one] : events.filter((other) => other !== one))} />)}
        </fieldset>
      )}
    </FormDialog>
  );
}

function DeleteEndpoint({ of, onClose }: { of: Webhook; onClose: () => void }) {
  const deed = useDeed();
  const remove = () =>
    deed.attempt(async () => {
      await ask(api.DELETE("/v1/webhooks/{id}", { params: { path: { id: of.id } } }));
      say("Deleted.");
      narrow({ endpoint: null });
    });
  return (
    <FormDialog title="Delete the endpoint" verb="Delete" danger isBusy={deed.isBusy} problem={deed.problem} onSubmit={() => void remove()} onClose={onClose}>
      <p><code>{of.url}</code> hears of nothing any more, and what is on its way to it is not tried again. To stop it for a while, disable it.</p>
    </FormDialog>
  );
}

function eventsText(events: readonly string[]) {
  return events.includes("*") ? "all" : <span class="chips wrap">{events.map((one) => <code key={one} class="chip">{one}</code>)}</span>;
}

const EVENTS = ["key.created", "key.rotated", "key.revoked", "key.expiring", "key.leaked", "key.new_network", "key.new_agent", "key.unauthorized_burst", "usage.spike", "refusals.spike", "budget.threshold", "client_session.redeemed", "credit.received", "webhook.disabled"];
const REASONS: Record<string, string> = {
  by_owner: "by its owner",
  failing: "because nothing but failures came for five days",
  gone: "because it answered 410 Gone",
  key_revoked: "because its key was revoked",
  key_expired: "because its key expired",
  secret_unknown: "because its key’s signing secret is not known: rotate the key",
};
