// The console's own pages; functions/console/src/lib.rs serves the same names.

export const PAGES = ["keys", "usage", "requests", "billing", "projects", "webhooks", "client-sessions", "account", "operator"] as const;

export type PageName = (typeof PAGES)[number];
