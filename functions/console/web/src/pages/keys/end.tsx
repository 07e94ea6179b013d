// A key's new secret, and its end.

import { useState } from "preact/hooks";

import { type CreatedKey, type KeyWithUsage, api, ask, dataOf, freshName, onceUnder } from "../../api/client";
import { useDeed } from "../../ask";
import { FormDialog } from "../../ui/dialog";
import { Input, Select } from "../../ui/field";
import { say } from "../../ui/toast";

export function RotateKey({ of, onClose, onDone }: { of: KeyWithUsage; onClose: () => void; onDone: (key: CreatedKey) => void }) {
  const [grace, setGrace] = useState("86400");
  const [from, setFrom] = useState<"rotation" | "first_use">("first_use");
  const [name, setName] = useState(freshName);
  const deed = useDeed();
  const rotate = () =>
    deed.attempt(async () => {
      const body = { grace_seconds: Number(grace), grace_from: from };
      onDone(await dataOf(api.POST("/v1/api-keys/{id}/rotate", { params: { path: { id: of.id } }, body, headers: onceUnder(name) })));
    });
  const choose = (change: () => void) => {
    change();
    setName(freshName());
  };
  return (
    <FormDialog title={`Rotate “${of.name}”`} verb="Make a new secret" isBusy={deed.isBusy} problem={deed.problem} onSubmit={() => void rotate()} onClose={onClose}>
      <p>The key gets a new secret. Its id, settings, money and counters stay; old and new secret draw on the same ones.</p>
      <Select label="The old secret works for" value={grace} options={GRACES} onChange={(value) => choose(() => setGrace(value))} />
      {grace !== "0" && (
        <Select
          label="Counted from"
          value={from}
          options={[["first_use", "the first use of the new secret"], ["rotation", "now"]]}
          onChange={(value) => choose(() => setFrom(value === "rotation" ? "rotation" : "first_use"))}
          hint={from === "first_use" ? "Nothing breaks before the new secret is in place." : undefined}
        />
      )}
      {of.rotation && <p class="hint">An old secret of an earlier rotation ends at once.</p>}
    </FormDialog>
  );
}

export function RevokeKey({ of, onClose, onDone }: { of: KeyWithUsage; onClose: () => void; onDone: () => void }) {
  const [typed, setTyped] = useState("");
  const deed = useDeed();
  const revoke = () =>
    deed.attempt(async () => {
      await ask(api.DELETE("/v1/api-keys/{id}", { params: { path: { id: of.id } } }));
      say(`“${of.name}” is revoked.`);
      onDone();
    });
  return (
    <FormDialog title={`Revoke “${of.name}”`} verb="Revoke for ever" danger isBusy={deed.isBusy} isReady={typed.trim() === of.name.trim()} problem={deed.problem} onSubmit={() => void revoke()} onClose={onClose}>
      <p>Its very next request is refused, with either secret, and it can never be used again. What it did not spend returns to its project. To stop it for a while, freeze it instead.</p>
      <Input label={`Type the key’s name to confirm: ${of.name}`} value={typed} onInput={setTyped} />
    </FormDialog>
  );
}

const GRACES = [["0", "no longer: it ends at once"], ["3600", "an hour"], ["86400", "a day"], ["604800", "a week"]] as const;
