// Whose account this is, what its plan allows, and the way out.

import { useDeed, useEvery } from "../ask";
import { away, count, day } from "../format";
import { catalogue, endsAt, isOperator, me, signOut } from "../session";
import { Copy, Facts, Id, Page, Panel, Time, Trouble } from "../ui/parts";
import { useState } from "preact/hooks";

export function AccountPage() {
  const who = me.value;
  const leaving = useDeed();
  const [, tick] = useState(0);
  useEvery(10_000, () => tick((last) => last + 1));
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
        <Panel title="Session">
          <p>
            {endsAt.value ? <>This one ends {away(new Date(endsAt.value).toISOString())}; you are asked to sign in again then, and nothing that you typed is lost.</> : "It lasts a quarter of an hour from signing in; you are asked to sign in again then, and nothing that you typed is lost."}
          </p>
          <p class="hint">The session is a cookie that no script can read, and it is the same in all tabs. Signing out ends it everywhere at once. Sessions of other browsers end by themselves.</p>
        </Panel>
      </div>
    </Page>
  );
}
