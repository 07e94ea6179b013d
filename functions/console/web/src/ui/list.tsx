// Lists that grow by pages.

import { useEffect, useState } from "preact/hooks";

import { type Problem, problemOf } from "../api/problem";
import { Trouble } from "./parts";

interface Listed<T> {
  data: T[];
  next_cursor: string | null;
}

/** A list by its pages; the next one when somebody asks for it. */
export function usePages<T>(read: (cursor: string | undefined, signal: AbortSignal) => Promise<Listed<T>>, by: unknown[]) {
  const [rows, setRows] = useState<T[]>([]);
  const [next, setNext] = useState<string | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isLoading, setLoading] = useState(true);
  const [controller, setController] = useState(() => new AbortController());
  const load = async (cursor: string | undefined, signal: AbortSignal) => {
    setLoading(true);
    setProblem(null);
    try {
      const page = await read(cursor, signal);
      if (signal.aborted) return;
      setRows((before) => (cursor === undefined ? page.data : [...before, ...page.data]));
      setNext(page.next_cursor);
      setLoading(false);
    } catch (error) {
      if (signal.aborted) return;
      setProblem(problemOf(error));
      setLoading(false);
    }
  };
  useEffect(() => {
    const fresh = new AbortController();
    setController(fresh);
    void load(undefined, fresh.signal);
    return () => fresh.abort();
  }, by);
  return { rows, problem, isLoading, more: next === null ? null : () => void load(next, controller.signal), again: () => void load(undefined, controller.signal) };
}

/** What stands below such a list. */
export function MoreRows({ of, none }: { of: { rows: unknown[]; problem: Problem | null; isLoading: boolean; more: (() => void) | null; again: () => void }; none: string }) {
  return (
    <div class="table-end">
      <Trouble problem={of.problem} retry={of.more ?? of.again} />
      {of.isLoading && <p role="status">Loading…</p>}
      {!of.isLoading && of.more && <button type="button" onClick={of.more}>Show more</button>}
      {!of.isLoading && !of.more && !of.problem && of.rows.length === 0 && <p class="dim">{none}</p>}
    </div>
  );
}
