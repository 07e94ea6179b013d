// The account's projects, which many pages name; an account has at most a hundred.

import { computed, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { type Project, api, ask } from "./api/client";
import { abbreviate } from "./format";
import { me } from "./session";

const known = signal<{ account: string; projects: Project[] } | null>(null);

/** The projects as they were last read; null before that. */
export const projects = computed<Project[] | null>(() => (known.value && known.value.account === me.value?.account_id ? known.value.projects : null));

export async function readProjects(signal?: AbortSignal): Promise<Project[]> {
  const account = me.value?.account_id ?? "";
  const { data } = await ask(api.GET("/v1/projects", { params: { query: { limit: 100 } }, signal }));
  known.value = { account, projects: data };
  return data;
}

/** Reads the projects once, for their names. */
export function useProjects(): Project[] {
  useEffect(() => {
    if (!projects.value) readProjects().catch(() => {});
  }, []);
  return projects.value ?? [];
}

export function projectName(id: string | null): string {
  if (id === null) return "–";
  return projects.value?.find((project) => project.id === id)?.name ?? abbreviate(id);
}
