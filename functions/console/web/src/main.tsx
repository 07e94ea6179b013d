// The console: starts, and shows the page that the address names.

import { render } from "preact";

import { App } from "./app";
import { followLinks } from "./route";
import { start } from "./session";
import "./style.css";
import "./parts.css";
import { discover } from "./wallet/discover";

followLinks();
discover();
void start();

const root = document.getElementById("app");
if (root) {
  root.replaceChildren();
  render(<App />, root);
}
