// Client sessions: what a backend lets one frontend do in its key's name, for a while.

import { useState } from "preact/hooks";

import { type ClientSession, api, ask, pageOf } from "../api/client";
import { useAsked, useDeed } from "../ask";
import { count, minute, usd } from "../format";
import { link, narrow, query } from "../route";
import { FormDialog } from "../ui/dialog";
import { Select } from "../ui/field";
import { MoreRows, usePages } from "../ui/list";
import { Empty, Page, Shown, Status, Table, Time } from "../ui/parts";
import { say } from "../ui/toast";

export function ClientSessionsPage() {
  const keys = useAsked(async (signal) => (await pageOf(api.GET("/v1/api-keys", { params: { query: { limit: 100 } }, signal }))).data, []);
  const named = query.value.get("key_id");
  return (
    <Page title="Client sessions" lead="What a backend lets one frontend do in its key’s name, for a while. A backend makes them with its key; here they are watched and ended.">
      <Shown of={keys}>
        {(keys) => {
          const chosen = named ?? keys[0]?.id;
          if (!chosen) {
            return (
              <Empty title="No keys yet">
                <p>Sessions belong to a key.</p>
                <p><a class="button" href={link("keys", { new: "1" })}>Make a key</a></p>
              </Empty>
            );
          }
          return (
            <>
              <div class="filters">
                <Select label="Of the key" value={chosen} options={keys.map(({ id, name, key_prefix }) => [id, `${name} (${key_prefix}…)`] as const)} onChange={(key_id) => narrow({ key_id })} />
              </div>
              <Sessions key={chosen} of={chosen} />
            </>
          );
        }}
      </Shown>
    </Page>
  );
}

function Sessions({ of }: { of: string }) {
  const [round, setRound] = useState(0);
  const [ending, end] = useState<ClientSession | null>(null);
  const sessions = usePages<ClientSession>((cursor, signal) => ask(api.GET("/v1/client-sessions", { params: { query: { key_id: of, limit: 50, cursor } }, signal })), [of, round]);
  return (
    <>
      {sessions.rows.length > 0 && (
        <Table label="Client sessions">
          <thead>
            <tr>
              <th scope="col">For</th>
              <th scope="col">Status</th>
              <th scope="col" class="num">Calls</th>
              <th scope="col" class="num">Spent</th>
              <th scope="col" class="mid">Made</th>
              <th scope="col">Ends</th>
              <th scope="col"><span class="hidden">What can be done</span></th>
            </tr>
          </thead>
          <tbody>
            {sessions.rows.map((one) => {
              const isOver = one.status === "ended" || one.status === "expired";
              return (
                <tr key={one.id} class={isOver ? "over" : undefined}>
                  <th scope="row">{one.client_reference_id}<code class="sub">{one.id}</code></th>
                  <td><Status of={STATUS[one.status]} as={one.status === "redeemed" ? "active" : one.status === "created" ? "pending" : "expired"} /></td>
                  <td class="num">{count(one.calls)}</td>
                  <td class="num">{usd(one.spent_usd)}{one.max_cost_usd !== null && <span class="sub">of {usd(one.max_cost_usd)}</span>}</td>
                  <td class="mid nowrap"><Time at={one.created_at} as={minute} /></td>
                  <td class="nowrap"><Time at={one.ended_at ?? one.expires_at} /></td>
                  <td class="row-actions">{!isOver && <button type="button" class="small" onClick={() => end(one)}>End<span class="hidden"> the session for {one.client_reference_id}</span></button>}</td>
                </tr>
              );
            })}
          </tbody>
        </Table>
      )}
      <MoreRows of={sessions} none="No session of this key. A backend makes one with POST /v1/client-sessions and hands its secret to a frontend, which redeems it once." />
      {ending && (
        <EndSession
          of={ending}
          onClose={() => end(null)}
          onDone={() => {
            end(null);
            setRound((last) => last + 1);
          }}
        />
      )}
    </>
  );
}

function EndSession({ of, onClose, onDone }: { of: ClientSession; onClose: () => void; onDone: () => void }) {
  const deed = useDeed();
  const end = () =>
    deed.attempt(async () => {
      await ask(api.DELETE("/v1/client-sessions/{id}", { params: { path: { id: of.id } } }));
      say("The session is ended.");
      onDone();
    });
  return (
    <FormDialog title="End the session" verb="End it" danger isBusy={deed.isBusy} problem={deed.problem} onSubmit={() => void end()} onClose={onClose}>
      <p>The session for “{of.client_reference_id}” is refused from its very next request on, and its secret too.</p>
    </FormDialog>
  );
}

const STATUS: Record<ClientSession["status"], string> = { created: "secret waits", redeemed: "active", ended: "ended", expired: "expired" };
