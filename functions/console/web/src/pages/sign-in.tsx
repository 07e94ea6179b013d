// Signing in: with a wallet of this browser, or with a signature from anywhere.

import { useState } from "preact/hooks";

import { Problem, advice, problemOf } from "../api/problem";
import { abbreviate } from "../format";
import { later, leave, me, signIn, takeUp } from "../session";
import { Dialog } from "../ui/dialog";
import { Area, Input } from "../ui/field";
import { Copy } from "../ui/parts";
import { type Wallet, isSettled, wallets } from "../wallet/discover";
import { WalletError, issue } from "../wallet/sign";

export function SignInPage() {
  return (
    <main class="sign-in" id="main">
      <p class="brand"><img src={`${import.meta.env.BASE_URL}icon.svg`} alt="" width={28} height={28} /> Faregate</p>
      <h1>Sign in with your wallet</h1>
      <p class="lead">You sign a message that holds a number used once. It sends no transaction, costs nothing, and any network will do. The first sign-in opens an account.</p>
      <Ways />
    </main>
  );
}

/** In front of whatever was on the page when the session ended. */
export function SignInDialog() {
  return (
    <Dialog title="Your session has ended" onClose={later}>
      <div class="dialog-body">
        <p>Sign in again as <code>{abbreviate(me.value?.address ?? "")}</code> to go on where you were. What you typed is kept, and what you asked for is sent then.</p>
        <Ways />
      </div>
      <footer>
        <button type="button" onClick={leave}>Leave the page</button>
      </footer>
    </Dialog>
  );
}

function Ways() {
  const [asked, ask] = useState<string | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  const use = async (wallet: Wallet) => {
    ask(wallet.id);
    setTrouble(null);
    try {
      await signIn(wallet);
    } catch (error) {
      setTrouble(inWords(error));
    } finally {
      ask(null);
    }
  };
  return (
    <>
      {wallets.value.length > 0 && (
        <ul class="wallets">
          {wallets.value.map((wallet) => (
            <li key={wallet.id}>
              <button type="button" disabled={asked !== null} onClick={() => void use(wallet)}>
                {wallet.icon ? <img src={wallet.icon} alt="" width={28} height={28} /> : <span class="no-icon" aria-hidden="true">◇</span>}
                <span>{wallet.name}</span>
                {asked === wallet.id && <small>Answer in the wallet…</small>}
              </button>
            </li>
          ))}
        </ul>
      )}
      {wallets.value.length === 0 && isSettled.value && (
        <div class="notice">
          <p><strong>This browser shows no wallet.</strong> Install or unlock one, any Ethereum wallet for browsers will do, and reload this page. Or sign the message elsewhere, as below.</p>
          <button type="button" onClick={() => location.reload()}>Look again</button>
        </div>
      )}
      {trouble && <div class="trouble" role="alert"><p>{trouble}</p></div>}
      <ByHand isOpen={wallets.value.length === 0 && isSettled.value} />
    </>
  );
}

/** For a wallet that is not in this browser: hardware, a terminal, the development wallet of `cargo run`. */
function ByHand({ isOpen }: { isOpen: boolean }) {
  const [address, setAddress] = useState("");
  const [issued, setIssued] = useState<{ nonce: string; message: string } | null>(null);
  const [signature, setSignature] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);
  const attempt = async (deed: () => Promise<void>) => {
    setBusy(true);
    setTrouble(null);
    try {
      await deed();
    } catch (error) {
      setTrouble(inWords(error));
    } finally {
      setBusy(false);
    }
  };
  const proceed = () =>
    attempt(async () => {
      if (!issued) return setIssued(await issue(address.trim()));
      try {
        await takeUp(address.trim(), issued.nonce, signature.trim());
      } catch (error) {
        // The number in the message is used up, right or wrong.
        setIssued(null);
        setSignature("");
        throw error;
      }
    });
  const command = issued && `printf %s '${issued.message.replaceAll("'", `'\\''`)}' | cargo run --quiet -- wallet sign`;
  return (
    <details class="by-hand" open={isOpen}>
      <summary>Sign by hand, with any wallet that signs text</summary>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void proceed();
        }}
      >
        <Input label="Address" value={address} placeholder="0x…" required disabled={issued !== null} onInput={setAddress} hint={<>The development wallet of <code>cargo run</code> says its own: <code>cargo run --quiet -- wallet address</code></>} />
        {issued && command && (
          <>
            <Area label="Message, good for five minutes" value={issued.message} rows={6} readOnly />
            <p class="row"><Copy text={issued.message} label="Copy the message" /> <Copy text={command} label="Copy a command that signs it" /></p>
            <Input label="Signature" value={signature} placeholder="0x…" required onInput={setSignature} hint="By personal_sign, 65 bytes in hex." />
          </>
        )}
        {trouble && <div class="trouble" role="alert"><p>{trouble}</p></div>}
        <button type="submit" class={issued ? "primary" : ""} disabled={isBusy}>{issued ? "Sign in" : "Get the message"}</button>
      </form>
    </details>
  );
}

function inWords(error: unknown): string {
  if (error instanceof WalletError) return error.message;
  const problem = problemOf(error) ?? Problem.unreachable();
  switch (problem.code) {
    case "invalid_signature":
      return "The signature does not fit the message. Use the account that the message names, and sign it within five minutes.";
    case "unsupported_wallet":
      return "This wallet is a contract. Contract wallets cannot sign in yet: use an account with a key of its own.";
    case "invalid_address":
      return "That is no wallet address. Copy it from the wallet: 0x and 40 digits, with capitals as they are.";
    case "rate_limited":
      return "Too many sign-ins were begun from your network. Wait a minute, then try again.";
    default:
      return advice(problem);
  }
}
