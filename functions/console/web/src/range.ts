// A stretch of time in the address: one of a few that end now, or one from and to an instant.

export interface Range {
  /** RFC 3339 in UTC. */
  from: string;
  to: string;
  /** Which of the few it is, or `chosen`. */
  name: string;
  bucket: "hour" | "day";
}

export const RANGES = [["day", "24 hours"], ["week", "7 days"], ["month", "30 days"], ["quarter", "90 days"], ["year", "1 year"]] as const;

const HOURS: Record<string, number> = { day: 24, week: 168, month: 720, quarter: 2_160, year: 8_760 };

/** The range of the address; what ends now ends with the minute, so that it stays the same while somebody looks at it. */
export function rangeOf(query: URLSearchParams, fallback = "week", now = Date.now()): Range {
  const [from, to] = [Date.parse(query.get("from") ?? ""), Date.parse(query.get("to") ?? "")];
  if (from < to) {
    return { from: instant(from), to: instant(to), name: "chosen", bucket: bucketFor(query, to - from) };
  }
  const asked = query.get("range") ?? fallback;
  const name = asked in HOURS ? asked : fallback;
  const length = (HOURS[name] ?? 168) * HOUR_MS;
  const end = Math.ceil(now / 60_000) * 60_000;
  return { from: instant(end - length), to: instant(end), name, bucket: bucketFor(query, length) };
}

/** Hours up to a week, days above; whoever says otherwise gets it as far as the API goes. */
function bucketFor(query: URLSearchParams, length: number): "hour" | "day" {
  const asked = query.get("bucket");
  const isShort = length <= 31 * 24 * HOUR_MS;
  if (asked === "day" || asked === "hour") return asked === "hour" && !isShort ? "day" : asked;
  return length <= 7 * 24 * HOUR_MS ? "hour" : "day";
}

export function instant(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** What a field for date and time shows of an instant, in the reader's zone. */
export function local(iso: string): string {
  const at = new Date(iso);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

const HOUR_MS = 3_600_000;
