// Keys page by page: the next page comes when its end is seen, and all of them when somebody searches.

import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";

import { type CreatedKey, type KeyWithUsage, api, pageOf } from "../../api/client";
import { type Problem, problemOf } from "../../api/problem";

export interface Wanted {
  status: string;
  environment: string;
  project_id: string;
}

type Status = KeyWithUsage["status"];

export function useKeys(wanted: Wanted, search: string) {
  const [keys, setKeys] = useState<KeyWithUsage[]>([]);
  const [cursor, setCursor] = useState<string | null>("");
  const [isLoading, setLoading] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isEndSeen, setEndSeen] = useState(false);
  const question = JSON.stringify(wanted);
  const current = useRef(question);

  useEffect(() => {
    current.current = question;
    setKeys([]);
    setCursor("");
    setProblem(null);
  }, [question]);

  const wantsMore = cursor !== null && !problem && (cursor === "" || isEndSeen || search !== "");
  useEffect(() => {
    if (!wantsMore) return;
    const controller = new AbortController();
    setLoading(true);
    const { status, environment, project_id } = wanted;
    const query = { limit: 100, cursor: cursor || undefined, status: (status || undefined) as Status | undefined, environment: environment || undefined, project_id: project_id || undefined };
    pageOf(api.GET("/v1/api-keys", { params: { query }, signal: controller.signal }))
      .then((page) => {
        if (controller.signal.aborted || current.current !== question) return;
        setKeys((before) => [...(cursor === "" ? [] : before), ...page.data]);
        setCursor(page.next_cursor);
        setLoading(false);
      })
      .catch((error: unknown) => {
        if (controller.signal.aborted) return;
        setProblem(problemOf(error));
        setLoading(false);
      });
    return () => controller.abort();
  }, [question, cursor, wantsMore]);

  const observer = useRef<IntersectionObserver | null>(null);
  const end = useCallback((element: HTMLElement | null) => {
    observer.current?.disconnect();
    if (!element) return;
    observer.current = new IntersectionObserver(([entry]) => setEndSeen(entry?.isIntersecting ?? false), { rootMargin: "600px" });
    observer.current.observe(element);
  }, []);

  const found = useMemo(() => {
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length === 0) return keys;
    return keys.filter((key) => {
      const text = `${key.name} ${key.id} ${key.key_prefix} ${key.scopes.join(" ")}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
  }, [keys, search]);

  return {
    found,
    loaded: keys.length,
    hasMore: cursor !== null,
    isLoading: isLoading && cursor !== null,
    problem,
    end,
    more: () => {
      setProblem(null);
      setEndSeen(true);
    },
    /** Puts a key in front that was made here just now. */
    add: (key: CreatedKey) => setKeys((before) => [withoutSecret(key), ...before]),
  };
}

function withoutSecret({ key: _, ...rest }: CreatedKey): KeyWithUsage {
  const nothing = { today: 0, this_minute: 0, remaining_budget_usd: rest.budget_usd, spent_usd: 0, reserved_usd: 0, concurrent: 0, last_used_at: null, last_used_ip: null, last_used_agent: null };
  return { ...rest, usage: nothing };
}
