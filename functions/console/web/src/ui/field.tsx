// Fields of forms: each with its label, what it takes, and what was wrong with it.

import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

interface Common {
  label: string;
  hint?: ComponentChildren;
  error?: string | null | undefined;
  /** Beside the others in a row of filters: the label is small. */
  class?: string;
}

function Around({ id, label, hint, error, class: more, children }: Common & { id: string; children: ComponentChildren }) {
  return (
    <div class={`field ${more ?? ""}`}>
      <label for={id}>{label}</label>
      {children}
      {hint && <p class="hint" id={`${id}-hint`}>{hint}</p>}
      {error && <p class="error" id={`${id}-error`}>{error}</p>}
    </div>
  );
}

function described(id: string, { hint, error }: Common) {
  const ids = [hint ? `${id}-hint` : "", error ? `${id}-error` : ""].filter(Boolean).join(" ");
  return { id, "aria-invalid": error ? true : undefined, "aria-describedby": ids || undefined } as const;
}

interface InputProps extends Common {
  value: string;
  onInput: (value: string) => void;
  type?: "text" | "search" | "datetime-local";
  inputMode?: "numeric" | "decimal";
  placeholder?: string;
  pattern?: string;
  /** What the pattern asks for, in words. */
  title?: string;
  list?: string;
  maxLength?: number;
  required?: boolean;
  disabled?: boolean;
}

export function Input({ label, hint, error, class: more, value, onInput, ...rest }: InputProps) {
  const id = useId();
  const common = { label, hint, error, class: more };
  return (
    <Around id={id} {...common}>
      <input {...rest} {...described(id, common)} value={value} autocomplete="off" spellcheck={false} onInput={(event) => onInput(event.currentTarget.value)} />
    </Around>
  );
}

export function Area({ label, hint, error, value, onInput, rows = 3, readOnly }: Common & { value: string; onInput?: (value: string) => void; rows?: number; readOnly?: boolean }) {
  const id = useId();
  return (
    <Around id={id} label={label} hint={hint} error={error}>
      <textarea {...described(id, { label, hint, error })} rows={rows} readOnly={readOnly} spellcheck={false} value={value} onInput={(event) => onInput?.(event.currentTarget.value)} />
    </Around>
  );
}

export function Select({ label, hint, error, class: more, value, options, onChange }: Common & { value: string; options: readonly (readonly [string, string])[]; onChange: (value: string) => void }) {
  const id = useId();
  const common = { label, hint, error, class: more };
  const known = options.some(([key]) => key === value) ? options : [...options, [value, value] as const];
  return (
    <Around id={id} {...common}>
      <select {...described(id, common)} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {known.map(([key, text]) => <option key={key} value={key}>{text}</option>)}
      </select>
    </Around>
  );
}

export function Check({ label, hint, checked, onChange, disabled }: { label: ComponentChildren; hint?: ComponentChildren; checked: boolean; onChange: (checked: boolean) => void; disabled?: boolean }) {
  const id = useId();
  return (
    <div class="check">
      <input type="checkbox" id={id} checked={checked} disabled={disabled} aria-describedby={hint ? `${id}-hint` : undefined} onChange={(event) => onChange(event.currentTarget.checked)} />
      <label for={id}>{label}</label>
      {hint && <p class="hint" id={`${id}-hint`}>{hint}</p>}
    </div>
  );
}
