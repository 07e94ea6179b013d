// One key: how it stands now, what it may do, what happened with it, and what can be done with it.

import { useState } from "preact/hooks";

import { type CreatedKey, type KeyWithUsage, api, dataOf, quiet } from "../../api/client";
import { useAsked, useDeed, useEvery } from "../../ask";
import { away, count, minute, short, usd } from "../../format";
import { projectName, useProjects } from "../../projects";
import { link } from "../../route";
import { Copy, Facts, Id, Meter, Page, Panel, Shown, Status, Time, Trouble } from "../../ui/parts";
import { say } from "../../ui/toast";
import { ChangeKey } from "./change";
import { History } from "./history";
import { RevokeKey, RotateKey } from "./end";
import { ShowKey } from "./show";
import { TryCall } from "./try";

export function KeyPage({ id }: { id: string }) {
  useProjects();
  const params = { path: { id } };
  const asked = useAsked((signal) => dataOf(api.GET("/v1/api-keys/{id}", { params, signal })), [id]);
  const [open, setOpen] = useState<"change" | "rotate" | "revoke" | null>(null);
  const [rotated, setRotated] = useState<CreatedKey | null>(null);
  const freezing = useDeed();
  useEvery(LIVE_MS, () => {
    dataOf(quiet.GET("/v1/api-keys/{id}", { params })).then(asked.put, () => {});
  });
  const freeze = (frozen: boolean) =>
    freezing.attempt(async () => {
      await dataOf(api.PATCH("/v1/api-keys/{id}", { params, body: { frozen } }));
      say(frozen ? "The key is frozen: its next request is refused." : "The key works again.");
      asked.reload();
    });
  const key = asked.data;
  const isOver = key?.status === "revoked";
  return (
    <Page
      title={key?.name ?? "Key"}
      lead={<><a href={link("keys")}>All keys</a>{key && <> · <code>{key.key_prefix}…</code> · <Status of={key.status} /></>}</>}
      actions={
        key && !isOver && (
          <>
            <button type="button" onClick={() => setOpen("change")}>Change</button>
            <button type="button" onClick={() => setOpen("rotate")}>Rotate</button>
            <button type="button" disabled={freezing.isBusy} onClick={() => void freeze(key.status !== "frozen")}>{key.status === "frozen" ? "Thaw" : "Freeze"}</button>
            <button type="button" class="danger" onClick={() => setOpen("revoke")}>Revoke</button>
          </>
        )
      }
    >
      <Trouble problem={freezing.problem} />
      <Shown of={asked}>
        {(key) => (
          <>
            <div class="grid">
              <RightNow of={key} />
              <Settings of={key} />
            </div>
            {!isOver && <TryCall of={key} />}
            <History of={key.id} />
            {open === "change" && (
              <ChangeKey
                of={key}
                onClose={() => setOpen(null)}
                onDone={() => {
                  setOpen(null);
                  asked.reload();
                }}
              />
            )}
            {open === "rotate" && (
              <RotateKey
                of={key}
                onClose={() => setOpen(null)}
                onDone={(fresh) => {
                  setOpen(null);
                  setRotated(fresh);
                  asked.reload();
                }}
              />
            )}
            {open === "revoke" && (
              <RevokeKey
                of={key}
                onClose={() => setOpen(null)}
                onDone={() => {
                  setOpen(null);
                  asked.reload();
                }}
              />
            )}
          </>
        )}
      </Shown>
      {rotated && <ShowKey of={rotated} what="The key’s new secret" note={graceNote(rotated)} onClose={() => setRotated(null)} />}
    </Page>
  );
}

function graceNote({ rotation }: CreatedKey): string {
  if (!rotation) return "";
  if (rotation.grace_ends_at === null) return "The old secret works until its grace is over, which begins when the new one is first used.";
  return Date.parse(rotation.grace_ends_at) <= Date.now() ? "The old secret has ended." : `The old secret works until ${minute(rotation.grace_ends_at)}.`;
}

/** The windows that are running, kept fresh. */
export function RightNow({ of: { usage, limits, budget_usd, id } }: { of: KeyWithUsage }) {
  const perMinute = limits.per_minute + limits.burst;
  return (
    <Panel title="Right now" aside={<span class="live">live</span>}>
      <Meter label="This minute" used={usage.this_minute} limit={perMinute} text={`${count(usage.this_minute)} of ${count(limits.per_minute)}${limits.burst ? ` + ${count(limits.burst)}` : ""}`} />
      <Meter label="Today (UTC)" used={usage.today} limit={limits.per_day} text={`${count(usage.today)} of ${count(limits.per_day)}`} />
      <Meter label="Waiting to be settled" used={usage.concurrent} limit={limits.concurrent} text={`${count(usage.concurrent)} of ${count(limits.concurrent)}`} />
      {budget_usd === null ? (
        <Facts of={[["Spent", usd(usage.spent_usd)], ["Budget", "none: as far as the project’s money goes"]]} />
      ) : (
        <Meter label="Budget" used={usage.spent_usd + usage.reserved_usd} limit={budget_usd} text={`${usd(usage.spent_usd)} of ${usd(budget_usd)}`} marks={[50, 80]} />
      )}
      {usage.reserved_usd > 0 && <p class="hint">{usd(usage.reserved_usd)} more is reserved for calls that wait to be settled.</p>}
      <p class="row">
        <a class="button" href={link("usage", { key_id: id })}>Usage over time</a>
        <a class="button" href={link("requests", { key_id: id })}>Requests</a>
        <a class="button" href={link("billing", { key_id: id })}>Its money</a>
      </p>
    </Panel>
  );
}

function Settings({ of }: { of: KeyWithUsage }) {
  const { limits, usage, rotation } = of;
  const rotated = rotation && (
    <>
      <Time at={rotation.rotated_at} as={minute} />
      <span class="sub">
        Old secret: {rotation.grace_ends_at === null ? "works until the new one is used, and its grace after that" : Date.parse(rotation.grace_ends_at) > Date.now() ? `works until ${minute(rotation.grace_ends_at)}` : `ended ${away(rotation.grace_ends_at)}`}
        {rotation.old_secret_last_used_at && <>, last used <Time at={rotation.old_secret_last_used_at} /></>}
      </span>
    </>
  );
  return (
    <Panel title="Settings" aside={<Copy text={of.id} label="Copy the id" />}>
      <Facts
        of={[
          ["Project", projectName(of.project_id)],
          ["Environment", of.environment],
          ["Scopes", <span class="chips">{of.scopes.map((scope) => <code key={scope} class="chip">{scope}</code>)}</span>],
          ["Allowed origins", of.allowlist.length > 0 ? <span class="chips">{of.allowlist.map((origin) => <code key={origin} class="chip">{origin}</code>)}</span> : "any"],
          ["Limits", `${short(limits.per_minute)} a minute${limits.burst ? `, ${short(limits.burst)} more after a quiet one` : ""}; ${short(limits.per_day)} a day; ${short(limits.concurrent)} at once`],
          ["Expires", <Time at={of.expires_at} as={minute} />],
          ["Made", <Time at={of.created_at} as={minute} />],
          ["Last used", usage.last_used_at ? <><Time at={usage.last_used_at} /> <span class="sub">{[usage.last_used_agent, usage.last_used_ip && `from ${usage.last_used_ip}`].filter(Boolean).join(" ")}</span></> : "never"],
          ...(rotated ? [["Rotated", rotated] as [string, preact.ComponentChildren]] : []),
          ["Id", <Id of={of.id} />],
        ]}
      />
    </Panel>
  );
}

const LIVE_MS = 4_000;
