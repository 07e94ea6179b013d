// Numbers, money and times as people read them: in their own zone and manner of writing.

const MICRO = 1_000_000;

/** Whole micro-dollars of an amount that the API told. */
export function micro(usd: number): number {
  return Math.round(usd * MICRO);
}

/** `$1,234.50`, and as many digits more as the amount has: `$0.0042`. */
export function usd(amount: number | null | undefined): string {
  if (amount === null || amount === undefined) return "–";
  const text = Math.abs(amount).toLocaleString(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 6 });
  return `${amount < 0 ? "−" : ""}$${text}`;
}

/** An amount as the API takes it, from whole micro-dollars; never through a fraction. */
export function decimal(micros: number): string {
  const sign = micros < 0 ? "-" : "";
  const digits = String(Math.abs(micros)).padStart(7, "0");
  return `${sign}${digits.slice(0, -6)}.${digits.slice(-6)}`.replace(/\.?0+$/, "");
}

/** Whole micro-dollars of what somebody typed; null where it is no amount. A comma is none: people differ on what it means. */
export function parseUsd(text: string): number | null {
  const match = /^\s*(-?)\$?\s*(\d{1,9})?(?:\.(\d{0,6}))?\s*$/.exec(text);
  if (!match || (match[2] === undefined && !match[3])) return null;
  const micros = Number(match[2] ?? 0) * MICRO + Number((match[3] ?? "").padEnd(6, "0"));
  return match[1] ? -micros : micros;
}

/** `350 ms`, `1.4 s`, `3.2 min`: how long something took. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms).toLocaleString()} ms`;
  const [size, unit] = ms < 120_000 ? [1_000, "s"] : [60_000, "min"];
  return `${(ms / size).toLocaleString(undefined, { maximumSignificantDigits: 3 })} ${unit}`;
}

export function count(number: number): string {
  return number.toLocaleString();
}

/** `1.2k`, `3.4M`: for axes and narrow columns. */
export function short(number: number): string {
  return COMPACT.format(number);
}

/** Date and time to the second; the year where it is another than this one. */
export function moment(iso: string): string {
  return format(iso, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

/** Date and time to the minute. */
export function minute(iso: string): string {
  return format(iso, { hour: "2-digit", minute: "2-digit" });
}

export function day(iso: string): string {
  return format(iso, {});
}

function format(iso: string, time: Intl.DateTimeFormatOptions): string {
  const at = new Date(iso);
  const year = at.getFullYear() === new Date().getFullYear() ? {} : ({ year: "numeric" } as const);
  return at.toLocaleString(undefined, { day: "numeric", month: "short", ...year, ...time });
}

/** What stands below an axis of hours: the hour, and at midnight the day. */
export function hourTick(ms: number): string {
  const at = new Date(ms);
  const isMidnight = at.getHours() === 0 && at.getMinutes() === 0;
  return isMidnight ? at.toLocaleDateString(undefined, { day: "numeric", month: "short" }) : at.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
}

/** What stands below an axis of UTC days. */
export function dayTick(ms: number): string {
  return new Date(ms).toLocaleDateString(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
}

/** A UTC day, whichever zone the reader is in. */
export function utcDay(iso: string): string {
  return UTC_DAY.format(new Date(iso));
}

/** How long ago, or in how long: `3 min ago`, `in 2 days`. */
export function away(iso: string, now = Date.now()): string {
  const seconds = (Date.parse(iso) - now) / 1_000;
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size) return RELATIVE.format(Math.trunc(seconds / size), unit);
  }
  return seconds <= 0 ? "just now" : "in a moment";
}

/** `acc_k3…9fQ2`, for where an id is one of several things. */
export function abbreviate(id: string): string {
  return id.length > 16 ? `${id.slice(0, 8)}…${id.slice(-4)}` : id;
}

/** `100/min + 20 · 10k/day · 10 at once` */
export function limits(of: { per_minute: number; burst: number; per_day: number; concurrent: number }): string {
  const burst = of.burst > 0 ? ` + ${short(of.burst)}` : "";
  return `${short(of.per_minute)}/min${burst} · ${short(of.per_day)}/day`;
}

/** The reader's zone, `Europe/Berlin`. */
export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

const COMPACT = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const UTC_DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });
const RELATIVE = new Intl.RelativeTimeFormat(undefined, { style: "short" });
const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_557_600],
  ["month", 2_629_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 5],
];
