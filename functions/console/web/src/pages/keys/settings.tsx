// What a key may do, as somebody types it: for a new key and for a change.

import { useMemo } from "preact/hooks";

import type { Catalogue, Limits } from "../../api/client";
import { decimal, micro, parseUsd } from "../../format";
import { me } from "../../session";
import { Area, Check, Input, Select } from "../../ui/field";

export interface Draft {
  name: string;
  /** A preset's name, or `chosen`. */
  preset: string;
  scopes: string[];
  budget: string;
  allowlist: string;
  /** Days, `never`, or `at`. */
  expiry: string;
  expiresAt: string;
  limits: Record<keyof Limits, string>;
}

export const NO_LIMITS: Draft["limits"] = { per_minute: "", burst: "", per_day: "", concurrent: "" };
export const CHOSEN = "chosen";

/** Errors by field, and the members that the API takes. */
export function read(draft: Draft) {
  const errors: Record<string, string> = {};
  if (!draft.name.trim()) errors.name = "Give the key a name, so that you know it again.";
  const micros = draft.budget.trim() ? parseUsd(draft.budget) : null;
  if (draft.budget.trim() && (micros === null || micros < 0)) errors.budget_usd = "Dollars with a point and at most six digits after it, such as 12.50.";
  if (draft.preset === CHOSEN && draft.scopes.length === 0) errors.scopes = "Choose at least one.";
  const limits: Partial<Limits> = {};
  for (const [name, text] of Object.entries(draft.limits) as [keyof Limits, string][]) {
    if (!text.trim()) continue;
    if (/^\d{1,10}$/.test(text.trim())) limits[name] = Number(text);
    else errors[name] = "A whole number.";
  }
  let expires_at: string | null = null;
  if (draft.expiry === "at") {
    const at = new Date(draft.expiresAt);
    if (Number.isNaN(at.getTime()) || at.getTime() <= Date.now()) errors.expires_at = "A time in the future.";
    else expires_at = whole(at);
  } else if (draft.expiry !== "never") {
    expires_at = whole(new Date(Date.now() + Number(draft.expiry) * 86_400_000));
  }
  const allowlist = draft.allowlist.split(/[\s,]+/).filter(Boolean);
  const body = {
    name: draft.name.trim(),
    scopes: draft.preset === CHOSEN ? draft.scopes : draft.preset,
    budget_usd: micros === null ? null : decimal(micros),
    allowlist: allowlist.length > 0 ? allowlist : null,
    expires_at,
    limits,
  };
  return { errors, body };
}

function whole(at: Date): string {
  return `${at.toISOString().slice(0, 19)}Z`;
}

export function Settings({ draft, change, errors, catalogue, defaults, expiryOptions = EXPIRIES }: {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
  errors: Record<string, string | undefined>;
  catalogue: Catalogue;
  defaults: Limits | undefined;
  expiryOptions?: readonly (readonly [string, string])[];
}) {
  const presets = useMemo(() => {
    const names = catalogue.presets.map(({ name }) => [name, name === catalogue.default_preset ? `${name} (default)` : name] as const);
    return [...names, [CHOSEN, "Choose scopes…"] as const];
  }, [catalogue]);
  const preset = catalogue.presets.find(({ name }) => name === draft.preset);
  const choosable = catalogue.scopes.filter(({ operator_only }) => !operator_only || me.value?.is_operator);
  const ceiling = me.value?.plan.limits;
  return (
    <>
      <Input label="Name" value={draft.name} required maxLength={100} error={errors.name} onInput={(name) => change({ name })} placeholder="backend, staging…" />
      <Select label="Scopes" value={draft.preset} options={presets} error={errors.scopes} hint={preset && <>Grants {preset.scopes.map((scope) => <code key={scope} class="chip">{scope}</code>)}</>} onChange={(name) => change({ preset: name, scopes: name === CHOSEN ? draft.scopes : [] })} />
      {draft.preset === CHOSEN && (
        <fieldset class="scopes">
          <legend>Scopes of this key</legend>
          {choosable.map(({ scope, description }) => (
            <Check
              key={scope}
              label={<code>{scope}</code>}
              hint={description}
              checked={draft.scopes.includes(scope)}
              onChange={(isOn) => change({ scopes: isOn ? [...draft.scopes, scope] : draft.scopes.filter((one) => one !== scope) })}
            />
          ))}
          {draft.scopes.filter((scope) => !choosable.some((one) => one.scope === scope)).map((scope) => (
            <Check key={scope} label={<code>{scope}</code>} checked onChange={() => change({ scopes: draft.scopes.filter((one) => one !== scope) })} />
          ))}
        </fieldset>
      )}
      <div class="columns">
        <Input label="Budget in dollars" value={draft.budget} inputMode="decimal" placeholder="no budget" error={errors.budget_usd} hint="The most it may spend of its project’s money in all." onInput={(budget) => change({ budget })} />
        <div>
          <Select label="Expires" value={draft.expiry} options={expiryOptions} onChange={(expiry) => change({ expiry })} error={draft.expiry === "at" ? undefined : errors.expires_at} />
          {draft.expiry === "at" && <Input label="At" type="datetime-local" value={draft.expiresAt} error={errors.expires_at} onInput={(expiresAt) => change({ expiresAt })} hint="In your time zone." />}
        </div>
      </div>
      <Area label="Allowed origins" value={draft.allowlist} rows={2} error={errors.allowlist} hint={<>One per line, such as <code>https://app.example.com</code> or <code>*.example.org</code>. With any, requests from elsewhere are refused, and so are those that do not say where they come from. Empty: from anywhere.</>} onInput={(allowlist) => change({ allowlist })} />
      <details class="more" open={Object.values(draft.limits).some(Boolean)}>
        <summary>Limits</summary>
        <div class="columns four">
          {LIMITS.map(([name, label]) => (
            <Input
              key={name}
              label={label}
              value={draft.limits[name]}
              inputMode="numeric"
              placeholder={defaults ? String(defaults[name]) : ""}
              error={errors[name]}
              hint={ceiling && `at most ${ceiling[name].toLocaleString()}`}
              onInput={(text) => change({ limits: { ...draft.limits, [name]: text } })}
            />
          ))}
        </div>
        <p class="hint">What is left empty {defaults ? "is as the environment has it" : "stays as it is"}. The burst comes on top after a quiet minute; “at once” counts calls that wait to be settled.</p>
      </details>
    </>
  );
}

export function budgetText(amount: number | null): string {
  return amount === null ? "" : decimal(micro(amount));
}

const LIMITS: readonly (readonly [keyof Limits, string])[] = [["per_minute", "Per minute"], ["burst", "Burst"], ["per_day", "Per day"], ["concurrent", "At once"]];
export const EXPIRIES = [["never", "Never"], ["7", "In 7 days"], ["30", "In 30 days"], ["90", "In 90 days"], ["365", "In a year"], ["at", "At a time…"]] as const;
