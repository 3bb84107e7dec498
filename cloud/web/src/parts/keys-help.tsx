import { useEffect, useRef } from "preact/hooks";
import type { Key } from "../chart/use-keys.ts";

interface Props {
  keys: readonly Key[];
  open: boolean;
  onClose(): void;
}

/** The keys of a view, in a dialog that Esc closes. */
export function KeysHelp({ keys, open, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    <dialog
      ref={dialog}
      class="keys-help"
      aria-labelledby="keys-help"
      onClose={onClose}
      data-testid="keys-help"
    >
      <h2 id="keys-help">Keys</h2>
      <dl>
        {keys.map((one) => (
          <div key={one.shown}>
            <dt>
              <kbd>{one.shown}</kbd>
            </dt>
            <dd>{one.says}</dd>
          </div>
        ))}
      </dl>
      <button type="button" onClick={onClose}>
        Close
      </button>
    </dialog>
  );
}
