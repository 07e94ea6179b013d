// Amounts by drag: the browser's own slider, which keys move as well, and a bar that shows how a whole is split.

import { useEffect, useRef } from "preact/hooks";

/** Positions of the slider; whole cents would be too many to drag over. */
const STEPS = 1_000;

export function Slider({ label, value, max, text, onChange }: { label: string; value: number; max: number; text: string; onChange: (value: number) => void }) {
  const position = max > 0 ? Math.round((value / max) * STEPS) : 0;
  const moved = (next: number) => {
    if (next >= STEPS) return onChange(max);
    // To the cent, as far as the whole is dollars.
    const exact = (max * next) / STEPS;
    const unit = max >= 1_000_000 ? 10_000 : 1;
    onChange(Math.min(max, Math.round(exact / unit) * unit));
  };
  return <input type="range" class="slider" min={0} max={STEPS} value={position} disabled={max <= 0} aria-label={label} aria-valuetext={text} onInput={(event) => moved(Number(event.currentTarget.value))} />;
}

export function SplitBar({ parts, format }: { parts: { name: string; value: number }[]; format: (value: number) => string }) {
  const whole = parts.reduce((sum, { value }) => sum + value, 0);
  return (
    <div class="split">
      <div class="split-bar" aria-hidden="true">
        {parts.map(({ name, value }, index) => <Part key={index} index={index} share={whole > 0 ? value / whole : 0} title={`${name}: ${format(value)}`} />)}
      </div>
      <ul class="legend">
        {parts.map(({ name, value }, index) => (
          <li key={index}><i class={`swatch ${index === 0 ? "other" : `c${((index - 1) % 8) + 1}`}`} aria-hidden="true" />{name} <span class="num">{format(value)}</span></li>
        ))}
      </ul>
    </div>
  );
}

function Part({ index, share, title }: { index: number; share: number; title: string }) {
  const bar = useRef<HTMLDivElement>(null);
  useEffect(() => bar.current?.style.setProperty("flex-grow", String(share)), [share]);
  return <div ref={bar} class={`part ${index === 0 ? "other" : `c${((index - 1) % 8) + 1}`}`} title={title} />;
}
