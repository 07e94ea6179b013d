// Changes of a key. Only what differs is sent: what somebody else changed meanwhile stays.

import { useState } from "preact/hooks";

import { type KeyWithUsage, api, dataOf } from "../../api/client";
import { useDeed } from "../../ask";
import { minute } from "../../format";
import { catalogue } from "../../session";
import { FormDialog } from "../../ui/dialog";
import { say } from "../../ui/toast";
import { CHOSEN, type Draft, EXPIRIES, NO_LIMITS, Settings, budgetText, read } from "./settings";

const KEPT = "kept";

export function ChangeKey({ of, onClose, onDone }: { of: KeyWithUsage; onClose: () => void; onDone: () => void }) {
  const offer = catalogue.value;
  const [first] = useState(() => draftOf(of));
  const [draft, setDraft] = useState(first);
  const deed = useDeed();
  if (!offer) return null;
  const settled = draft.expiry === KEPT ? { ...draft, expiry: "never" } : draft;
  const { errors, body } = read(settled);
  const before = read({ ...first, expiry: "never" }).body;
  const differs = (name: keyof typeof body) => JSON.stringify(body[name]) !== JSON.stringify(before[name]);
  const change = {
    ...Object.fromEntries((["name", "scopes", "budget_usd", "allowlist"] as const).filter(differs).map((name) => [name, body[name]])),
    ...(draft.expiry === KEPT ? {} : { expires_at: body.expires_at }),
    ...(Object.keys(body.limits).length > 0 ? { limits: body.limits } : {}),
  };
  const submit = () => {
    if (Object.keys(errors).length > 0) return;
    if (Object.keys(change).length === 0) return onClose();
    void deed.attempt(async () => {
      await dataOf(api.PATCH("/v1/api-keys/{id}", { params: { path: { id: of.id } }, body: change }));
      say("Changed. It holds for the very next request.");
      onDone();
    });
  };
  const told = deed.problem?.field ? { [deed.problem.field.replace("limits.", "")]: deed.problem.message } : {};
  const kept = [KEPT, of.expires_at ? `As it is: ${minute(of.expires_at)}` : "As it is: never"] as const;
  return (
    <FormDialog title={`Change “${of.name}”`} verb="Change" wide isBusy={deed.isBusy} problem={deed.problem} onSubmit={submit} onClose={onClose}>
      <Settings draft={draft} change={(part) => setDraft((last) => ({ ...last, ...part }))} errors={{ ...errors, ...told }} catalogue={offer} defaults={undefined} expiryOptions={[kept, ...EXPIRIES]} />
      <p class="hint">Now: {of.limits.per_minute} a minute, burst {of.limits.burst}, {of.limits.per_day} a day, {of.limits.concurrent} at once.</p>
    </FormDialog>
  );
}

function draftOf(key: KeyWithUsage): Draft {
  const same = (one: string[]) => one.length === key.scopes.length && one.every((scope) => key.scopes.includes(scope));
  const preset = catalogue.value?.presets.find(({ scopes }) => same(scopes));
  return {
    name: key.name,
    preset: preset?.name ?? CHOSEN,
    scopes: preset ? [] : key.scopes,
    budget: budgetText(key.budget_usd),
    allowlist: key.allowlist.join("\n"),
    expiry: KEPT,
    expiresAt: "",
    limits: NO_LIMITS,
  };
}
