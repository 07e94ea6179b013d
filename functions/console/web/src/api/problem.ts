// What went wrong, in words that say what to do.

import type { components } from "./schema";

type Document = Partial<components["schemas"]["Problem"]>;

/** A refusal of the API, or a failure on the way to it. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly field: string | undefined;
  readonly requestId: string | undefined;
  readonly document: Document;

  constructor(status: number, document: Document) {
    super(document.detail || document.title || `The API answered ${status}.`);
    this.status = status;
    this.code = document.code ?? "";
    this.field = document.field;
    this.requestId = document.request_id;
    this.document = document;
  }

  static unreachable(): Problem {
    return new Problem(0, { code: "unreachable", detail: "The API could not be reached. Check the connection and try again." });
  }

  static slow(): Problem {
    return new Problem(0, { code: "slow", detail: "The API took too long to answer. It may have done what was asked: look before you try again." });
  }

  static signedOut(): Problem {
    return new Problem(401, { code: "signed_out", detail: "You are signed out. Sign in to go on; what you typed is still here." });
  }

  static foreign(): Problem {
    return new Problem(0, { code: "foreign", detail: "The answer has a form that the console cannot read. The gate may be of another version than these pages: reload them." });
  }

  /** Whether the API failed and the same request may well succeed later. */
  get isPassing(): boolean {
    return this.status === 0 || this.status >= 500 || this.status === 429;
  }
}

/** Anything that was thrown, as a problem; null for what was called off. */
export function problemOf(error: unknown): Problem | null {
  if (error instanceof Problem) return error;
  if (error instanceof DOMException && error.name === "AbortError") return null;
  return new Problem(0, { code: "failed", detail: error instanceof Error ? error.message : String(error) });
}

/** One sentence for a person, and what may be done about it. */
export function advice(problem: Problem): string {
  const { code, document } = problem;
  const retry = document.resets_at ? ` The limit opens again at ${new Date(document.resets_at).toLocaleTimeString()}.` : "";
  switch (code) {
    case "insufficient_credits":
      return document.available_usd === undefined
        ? "There is not enough credit for this."
        : `There is not enough credit: $${document.available_usd} is available.`;
    case "allocation_exceeded":
      return `The project cannot give back so much: $${document.available_usd ?? 0} of it is neither spent nor granted to a key.`;
    case "plan_required":
      return document.max_keys === undefined
        ? "Your plan does not include this. Ask the operator for another plan."
        : `Your plan allows ${document.max_keys} keys, and they are all in use. Revoke one, or ask the operator for another plan.`;
    case "not_found":
      return "It is not there, or it belongs to another account.";
    case "key_revoked":
      return "The key was revoked meanwhile.";
    case "key_rotated":
      return "Somebody else rotated the key at the same moment. Look at its history before you rotate it again.";
    case "rate_limited":
    case "rate_limited_daily":
    case "rate_limited_project":
      return `That was asked too often.${retry}`;
    default:
      return problem.message;
  }
}
