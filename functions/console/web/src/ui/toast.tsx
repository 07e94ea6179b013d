// Short words about what was done, read out where somebody listens.

import { signal } from "@preact/signals";

const said = signal<{ text: string; at: number } | null>(null);
let timer: ReturnType<typeof setTimeout> | undefined;

export function say(text: string): void {
  said.value = { text, at: Date.now() };
  clearTimeout(timer);
  timer = setTimeout(() => (said.value = null), 6_000);
}

export function Toast() {
  return (
    <div class="toast" role="status" aria-live="polite">
      {said.value && <p key={said.value.at}>{said.value.text}</p>}
    </div>
  );
}
