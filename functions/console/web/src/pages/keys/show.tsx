// A key's text, the one time that it can be seen. It is held by this dialog alone and goes with it.

import { useState } from "preact/hooks";

import type { CreatedKey } from "../../api/client";
import { curlLine } from "../../scopes";
import { catalogue } from "../../session";
import { Dialog } from "../../ui/dialog";
import { Check, Area } from "../../ui/field";
import { Copy } from "../../ui/parts";

export function ShowKey({ of, what, note, onClose }: { of: CreatedKey; what: string; note?: string; onClose: () => void }) {
  const [isKept, setKept] = useState(false);
  const command = catalogue.value ? curlLine(catalogue.value, of) : "";
  return (
    <Dialog title={what} onClose={() => isKept && onClose()} wide>
      <div class="dialog-body">
        <p><strong>Copy it now.</strong> This is the only time it is shown; nobody, not even the operator, can show it again.</p>
        {note && <p>{note}</p>}
        <Area label={`Key “${of.name}”`} value={of.key} rows={2} readOnly />
        <p class="row"><Copy text={of.key} label="Copy the key" primary /></p>
        {command && (
          <>
            <Area label="Try it in a terminal" value={command} rows={3} readOnly />
            <p class="row"><Copy text={command} label="Copy the command" /></p>
          </>
        )}
        <Check label="I have put the key where it is safe" checked={isKept} onChange={setKept} />
      </div>
      <footer><button type="button" class="primary" disabled={!isKept} onClick={onClose}>Done</button></footer>
    </Dialog>
  );
}
