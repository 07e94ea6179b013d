// The small parts that pages are put together from.

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { type Problem, advice } from "../api/problem";
import type { Asked } from "../ask";
import { away, moment } from "../format";

/** A page with its heading, which gets the focus when the page opens. */
export function Page({ title, lead, actions, children }: { title: string; lead?: ComponentChildren; actions?: ComponentChildren; children: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Faregate`;
  }, [title]);
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  return (
    <>
      <header class="page-head">
        <div>
          <h1 ref={heading} tabIndex={-1}>{title}</h1>
          {lead && <p class="lead">{lead}</p>}
        </div>
        {actions && <div class="actions">{actions}</div>}
      </header>
      {children}
    </>
  );
}

/** A part of a page under a heading of its own. */
export function Panel({ title, aside, children, class: more }: { title: string; aside?: ComponentChildren; children: ComponentChildren; class?: string }) {
  return (
    <section class={`panel ${more ?? ""}`}>
      <header>
        <h2>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  );
}

/** What went wrong, and what to do. */
export function Trouble({ problem, retry }: { problem: Problem | null; retry?: () => void }) {
  if (!problem) return null;
  return (
    <div class="trouble" role="alert">
      <p>{advice(problem)}</p>
      {problem.requestId && problem.status >= 500 && <p class="dim">Name it to your operator as <code>{problem.requestId}</code></p>}
      {retry && <button type="button" onClick={retry}>Try again</button>}
    </div>
  );
}

/** An answer once it is there; before that that it is on its way, or what went wrong. */
export function Shown<T>({ of, children }: { of: Asked<T>; children: (data: T) => ComponentChildren }) {
  return (
    <div aria-busy={of.isLoading} class={of.isLoading && of.data !== null ? "stale" : undefined}>
      <Trouble problem={of.problem} retry={of.reload} />
      {of.data !== null ? children(of.data) : of.isLoading && <p class="loading">Loading…</p>}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** A time in the reader's zone; the exact one, in UTC as well, stands behind it. */
export function Time({ at, as = away }: { at: string | null | undefined; as?: (iso: string) => string }) {
  if (!at) return <span class="dim">never</span>;
  return <time dateTime={at} title={`${moment(at)} (${at})`}>{as(at)}</time>;
}

const STATUS: Record<string, string> = { active: "good", succeeded: "good", ok: "good", frozen: "cold", expired: "dim", revoked: "dim", failed: "bad", refused: "bad", delivered: "good", enabled: "good", disabled: "dim", cancelled: "dim", pending: "cold" };

export function Status({ of, as }: { of: string; as?: string }) {
  return <span class={`status ${STATUS[as ?? of] ?? "plain"}`}>{of}</span>;
}

/** How much of something is used; full is told by more than colour. */
export function Meter({ label, used, limit, text, marks = [] }: { label: string; used: number; limit: number; text: string; marks?: number[] }) {
  const part = limit > 0 ? Math.min(used / limit, 1) : 0;
  const bar = useRef<HTMLDivElement>(null);
  useEffect(() => bar.current?.style.setProperty("--part", String(part)), [part]);
  return (
    <div class="meter">
      <div class="meter-text"><span>{label}</span> <span class="num">{text}</span></div>
      <div
        ref={bar}
        class={`bar ${part >= 1 ? "full" : part >= 0.8 ? "high" : ""}`}
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={limit}
        aria-valuenow={Math.min(used, limit)}
        aria-valuetext={text}
      >
        {marks.map((mark) => <i key={mark} class={`mark at-${mark}`} />)}
      </div>
    </div>
  );
}

/** Copies a text; says so where it could, and selects the text where it could not. */
export function Copy({ text, label = "Copy", primary }: { text: string; label?: string; primary?: boolean }) {
  const [said, say] = useState("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      say("Copied");
    } catch {
      say("Select it and copy by hand");
    }
    setTimeout(() => say(""), 2_500);
  };
  return (
    <span class="copy">
      <button type="button" class={primary ? "primary" : "small"} onClick={() => void copy()}>{said === "Copied" ? "Copied" : label}</button>
      <span class="hidden" role="status">{said}</span>
    </span>
  );
}

/** An id with a way to copy it. */
export function Id({ of }: { of: string }) {
  return <span class="id"><code>{of}</code> <Copy text={of} label="Copy" /></span>;
}

/** A table that scrolls by itself where the page is narrow, by keyboard too. */
export function Table({ label, children, class: more }: { label: string; children: ComponentChildren; class?: string }) {
  return (
    <div class="scroll" role="region" aria-label={label} tabIndex={0}>
      <table class={more}>{children}</table>
    </div>
  );
}

/** Names and values. */
export function Facts({ of }: { of: [string, ComponentChildren][] }) {
  return (
    <dl class="facts">
      {of.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A choice among few, as buttons. */
export function Choice<T extends string>({ label, value, options, onChange }: { label: string; value: T; options: readonly (readonly [T, string])[]; onChange: (value: T) => void }) {
  return (
    <div class="choice" role="group" aria-label={label}>
      {options.map(([key, text]) => (
        <button key={key} type="button" aria-pressed={key === value} onClick={() => onChange(key)}>{text}</button>
      ))}
    </div>
  );
}

