// Whose account this is, what its plan allows, where its owner is signed in, and the way out.

import { type SignedIn, api, ask, pageOf, quiet } from "../api/client";
import { Problem } from "../api/problem";
import { useAsked, useDeed, useEvery } from "../ask";
import { abbreviate, count, day, moment } from "../format";
import { catalogue, isOperator, me, signOut } from "../session";
import { Copy, Facts, Id, Page, Panel, Shown, Table, Time, Trouble } from "../ui/parts";
import { say } from "../ui/toast";

export function AccountPage() {
  const who = me.value;
  const leaving = useDeed();
  if (!who) return null;
  const { plan } = who;
  return (
    <Page title="Account" actions={<button type="button" disabled={leaving.isBusy} onClick={() => void leaving.attempt(signOut)}>Sign out</button>}>
      <Trouble problem={leaving.problem} />
      <div class="grid">
        <Panel title="You">
          <Facts
            of={[
              ["Wallet", <span class="id"><code>{who.address}</code> <Copy text={who.address} /></span>],
              ["Account", <Id of={who.account_id} />],
              ["Since", <Time at={who.created_at} as={day} />],
              ["Role", isOperator.value ? "Owner, and operator of this gate" : "Owner"],
            ]}
          />
        </Panel>
        <Panel title={`Plan: ${plan.name}`}>
          <Facts
            of={[
              ["Keys", `${count(plan.max_keys)} that are not revoked`],
              ["Per minute", `${count(plan.limits.per_minute)}, burst ${count(plan.limits.burst)}`],
              ["Per day", count(plan.limits.per_day)],
              ["At once", `${count(plan.limits.concurrent)} calls that wait to be settled`],
            ]}
          />
          <p class="hint">No key may have more than that. The operator moves an account to another plan{(catalogue.value?.plans.length ?? 0) > 1 && `: ${catalogue.value?.plans.map(({ name }) => name).join(", ")}`}.</p>
        </Panel>
      </div>
      <Sessions />
    </Page>
  );
}

/** Where the owner is signed in; what is not expected there is ended here. */
function Sessions() {
  const read = (through: typeof api, signal?: AbortSignal) => pageOf(through.GET("/v1/sessions", { params: { query: { limit: 100 } }, signal })).then(({ data }) => data);
  const sessions = useAsked((signal) => read(api, signal), []);
  const ending = useDeed();
  useEvery(15_000, () => void read(quiet).then(sessions.put, () => {}));
  const end = (what: () => Promise<unknown>, said: string) =>
    void ending.attempt(async () => {
      try {
        await what();
      } catch (error) {
        // What ended by itself meanwhile is what was wanted.
        if (!(error instanceof Problem && error.status === 404)) throw error;
      }
      say(said);
      sessions.reload();
    });
  const others = () => end(() => ask(api.DELETE("/v1/sessions")), "All other sessions are ended.");
  const one = (id: string) => end(() => ask(api.DELETE("/v1/sessions/{id}", { params: { path: { id } } })), "The session is ended.");
  const hasOthers = sessions.data?.some((session) => !session.is_current) ?? false;
  return (
    <Panel title="Sessions" aside={hasOthers && <button type="button" class="small" disabled={ending.isBusy} onClick={others}>End all others</button>}>
      <Trouble problem={ending.problem} />
      <Shown of={sessions}>
        {(sessions) => (
          <Table label="Sessions">
            <thead><tr><th scope="col">Signed in</th><th scope="col">Ends</th><th scope="col"><span class="hidden">What can be done</span></th></tr></thead>
            <tbody>{sessions.map((session) => <Session key={session.id} of={session} isBusy={ending.isBusy} onEnd={() => one(session.id)} />)}</tbody>
          </Table>
        )}
      </Shown>
      <p class="hint">
        One for each sign-in; it lasts a quarter of an hour, and you are asked to sign in again then, with nothing lost that you typed. It is a cookie that
        no script can read, the same in all tabs. Nothing is kept of where somebody signed in from. One that is ended is refused at its next request.
      </p>
    </Panel>
  );
}

function Session({ of, isBusy, onEnd }: { of: SignedIn; isBusy: boolean; onEnd: () => void }) {
  return (
    <tr>
      <th scope="row" class="nowrap"><Time at={of.created_at} as={moment} /><code class="sub">{abbreviate(of.id)}</code></th>
      <td class="nowrap"><Time at={of.expires_at} /></td>
      <td class="row-actions">
        {of.is_current ? <span class="status good">this one</span> : <button type="button" class="small" disabled={isBusy} onClick={onEnd}>End<span class="hidden"> the session of {moment(of.created_at)}</span></button>}
      </td>
    </tr>
  );
}
