// What a component asks the API for: the last answer stays while the next one is on its way.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import { type Problem, problemOf } from "./api/problem";

export interface Asked<T> {
  data: T | null;
  problem: Problem | null;
  isLoading: boolean;
  reload: () => void;
  /** Puts something in place of the answer that is known already. */
  put: (data: T) => void;
}

/** Asks whenever one of `by` changes; what is no longer wanted is called off. */
export function useAsked<T>(ask: (signal: AbortSignal) => Promise<T>, by: unknown[]): Asked<T> {
  const [data, put] = useState<T | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isLoading, setLoading] = useState(true);
  const [round, setRound] = useState(0);
  useEffect(() => {
    const controller = new AbortController();
    setLoading(true);
    ask(controller.signal)
      .then((answer) => {
        if (controller.signal.aborted) return;
        put(answer);
        setProblem(null);
      })
      .catch((error: unknown) => !controller.signal.aborted && setProblem(problemOf(error)))
      .finally(() => !controller.signal.aborted && setLoading(false));
    return () => controller.abort();
  }, [...by, round]);
  const reload = useCallback(() => setRound((last) => last + 1), []);
  return { data, problem, isLoading, reload, put };
}

/** Does something again and again while somebody looks at the page. */
export function useEvery(ms: number, act: () => void): void {
  const latest = useRef(act);
  latest.current = act;
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === "visible" && latest.current(), ms);
    return () => clearInterval(timer);
  }, [ms]);
}

/** Something that is done once at a time, and how it went. */
export function useDeed(): { isBusy: boolean; problem: Problem | null; attempt: (deed: () => Promise<void>) => Promise<void>; forget: () => void } {
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const isRunning = useRef(false);
  const attempt = async (deed: () => Promise<void>) => {
    if (isRunning.current) return;
    isRunning.current = true;
    setBusy(true);
    setProblem(null);
    try {
      await deed();
    } catch (error) {
      setProblem(problemOf(error));
    } finally {
      isRunning.current = false;
      setBusy(false);
    }
  };
  return { isBusy, problem, attempt, forget: () => setProblem(null) };
}
