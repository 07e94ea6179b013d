// Which page is shown: the address says it, as long as somebody is signed in.

import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";

import type { PageName } from "./pages";
import { AccountPage } from "./pages/account";
import { KeysPage } from "./pages/keys";
import { SignInDialog, SignInPage } from "./pages/sign-in";
import { go, link, page, query } from "./route";
import { enter, isOperator, me, startProblem, state } from "./session";
import { Empty, Page, Trouble } from "./ui/parts";
import { Shell } from "./ui/shell";
import { Toast } from "./ui/toast";

/** Pages that are fetched when they are first opened. */
const FETCHED: Partial<Record<PageName, () => Promise<ComponentType>>> = {
  usage: async () => (await import("./pages/usage")).UsagePage,
  requests: async () => (await import("./pages/requests")).RequestsPage,
  billing: async () => (await import("./pages/billing")).BillingPage,
  projects: async () => (await import("./pages/projects")).ProjectsPage,
  webhooks: async () => (await import("./pages/webhooks")).WebhooksPage,
  "client-sessions": async () => (await import("./pages/client-sessions")).ClientSessionsPage,
  operator: async () => (await import("./pages/operator")).OperatorPage,
};

const READY: Partial<Record<PageName, ComponentType>> = { keys: KeysPage, account: AccountPage };

export function App() {
  return (
    <>
      <Opened />
      <Toast />
    </>
  );
}

function Opened() {
  switch (state.value) {
    case "asking":
      return <p class="first" role="status">Opening the console…</p>;
    case "failed":
      return (
        <div class="first">
          <h1>Faregate</h1>
          <Trouble problem={startProblem.value} retry={() => void enter()} />
        </div>
      );
    case "out":
      return <SignInPage />;
    case "in":
    case "ended":
      return (
        <>
          <Shell><Current key={me.value?.account_id} /></Shell>
          {state.value === "ended" && <SignInDialog />}
        </>
      );
  }
}

function Current() {
  const name = page.value;
  useEffect(() => {
    if (location.pathname.replace(/\/$/, "") === "/console") history.replaceState(null, "", link("keys") + location.search);
  }, [name]);
  if (name === null || (name === "operator" && !isOperator.value)) return <Nowhere />;
  const Ready = READY[name];
  if (Ready) return <Ready />;
  const fetch = FETCHED[name];
  return fetch ? <Fetched key={name} fetch={fetch} /> : <Nowhere />;
}

function Fetched({ fetch }: { fetch: () => Promise<ComponentType> }) {
  const [found, setFound] = useState<{ Page: ComponentType } | null>(null);
  const [isLost, setLost] = useState(false);
  useEffect(() => {
    let isWanted = true;
    fetch().then(
      (Page) => isWanted && setFound({ Page }),
      () => isWanted && setLost(true),
    );
    return () => {
      isWanted = false;
    };
  }, [fetch]);
  if (found) return <found.Page />;
  if (isLost) {
    return (
      <Empty title="This page could not be fetched">
        <p>The connection broke, or the console was replaced by a newer one meanwhile.</p>
        <p><button type="button" class="primary" onClick={() => location.reload()}>Reload</button></p>
      </Empty>
    );
  }
  return <p class="loading" role="status">Loading…</p>;
}

function Nowhere() {
  return (
    <Page title="No such page">
      <p>There is nothing at <code>{location.pathname}{query.value.size > 0 && location.search}</code>.</p>
      <p><button type="button" class="primary" onClick={() => go(link("keys"))}>Go to the keys</button></p>
    </Page>
  );
}
