// Dialogs: the browser's own, which keep the focus inside and give it back.

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

import type { Problem } from "../api/problem";
import { Trouble } from "./parts";

export function Dialog({ title, onClose, wide, children }: { title: string; onClose: () => void; wide?: boolean; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const element = dialog.current;
    if (element && !element.open) {
      element.showModal();
      // The first thing to do is seldom to close it.
      element.querySelector<HTMLElement>(".dialog-body :is(input, select, textarea):not(:read-only, :disabled), .dialog-body select")?.focus();
    }
    return () => element?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      class={wide ? "wide" : undefined}
      aria-labelledby={id}
      // The browser closes a dialog at the second Escape whatever is said of the first, so that it never sees one.
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.preventDefault();
        onClose();
      }}
      onCancel={(event) => event.preventDefault()}
    >
      <header>
        <h2 id={id}>{title}</h2>
        <button type="button" class="close" aria-label="Close" onClick={onClose}>×</button>
      </header>
      {children}
    </dialog>
  );
}

/** A form in a dialog, with its two ways out. */
export function FormDialog({ title, verb, danger, isBusy, isReady = true, problem, wide, onSubmit, onClose, children }: {
  title: string;
  verb: string;
  danger?: boolean;
  isBusy: boolean;
  isReady?: boolean;
  problem: Problem | null;
  wide?: boolean;
  onSubmit: () => void;
  onClose: () => void;
  children: ComponentChildren;
}) {
  return (
    <Dialog title={title} onClose={onClose} wide={wide}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onSubmit();
        }}
      >
        <div class="dialog-body">{children}</div>
        <Trouble problem={problem} />
        <footer>
          <button type="button" onClick={onClose}>Cancel</button>
          <button type="submit" class={danger ? "danger" : "primary"} disabled={isBusy || !isReady}>{isBusy ? "One moment…" : verb}</button>
        </footer>
      </form>
    </Dialog>
  );
}
